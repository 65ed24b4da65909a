"""The oracles against a third opinion, the cells of torchrecurrent (0.2.5): one step from random states, float64.

Its parameters are drawn, and our weights made of them; its matrices are ours transposed, and it keeps two biases, of
which ours is the sum. Where it has a bias that the equation lacks, the function that makes our weights sets that bias
to zero in place, in the cell itself; so it does with the parts in which the two deviate.

Not compared: RHN (not exported, and its module does not import), and what only one of the two has.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest

from tests.cells.oracles import ORACLES

torch = pytest.importorskip("torch", reason="torchrecurrent needs PyTorch")
torchrecurrent = pytest.importorskip("torchrecurrent", reason="a third opinion: pip install torchrecurrent")

UNITS = N = 4
FEATURES = 3


# How our weights are made of its parameters `p`, arrays that share their memory with the cell.


def zero(*arrays):
    for array in arrays:
        array[...] = 0


def products(p):
    return {"kernel": p["weight_ih"].T, "recurrent_kernel": p["weight_hh"].T}


def joint(p):
    return {**products(p), "bias": p["bias_ih"] + p["bias_hh"]}


def input_bias(p):
    """Only the input has a bias (its recurrent one may be missing for some blocks, or stand elsewhere)."""
    zero(p["bias_hh"])
    return {**products(p), "bias": p["bias_ih"]}


def no_transpose(p):
    """Its recurrent matrix acts on columns; so does ours, by definition, once it is made antisymmetric."""
    return {**input_bias(p), "recurrent_kernel": p["weight_hh"]}


def br(p):
    return {**input_bias(p), "recurrent_gain": p["weight_hh"].reshape(2, N)}


def cfn(p):
    """The candidate has no bias in the paper."""
    zero(p["bias_ih"][2 * N :])
    return {**products(p), "bias": p["bias_ih"][: 2 * N] + p["bias_hh"]}


def co_rnn(p):
    bias = p["bias_ih"] + p["bias_hh"] + p["bias_ch"]
    recurrent = np.concatenate([p["weight_hh"].T, p["weight_ch"].T])
    return {"kernel": p["weight_ih"].T, "recurrent_kernel": recurrent, "bias": bias}


def fast_rnn(p):
    return {**joint(p), "alpha": p["alpha"], "beta": p["beta"]}


def fast_grnn(p):
    gate, candidate = np.split(p["bias_ih"] + p["bias_hh"], 2)
    return {**products(p), "gate_bias": gate, "bias": candidate, "zeta": p["zeta"], "nu": p["nu"]}


def ind_rnn(p):
    return {"kernel": p["weight_ih"].T, "recurrent_gain": p["vector_u"], "bias": p["bias_ih"] + p["bias_hh"]}


def intersection_rnn(p):
    """The paper adds the input itself, for which the widths must agree."""
    return {**joint(p), "skip_kernel": np.eye(N)}


def lem(p):
    """The paper's y sees the new z, torchrecurrent's the old one: compared without that product. Its first time
    scale is that of y, as in the authors' code, in the paper that of z: the first two blocks are swapped."""
    zero(p["weight_ch"], p["bias_ch"], p["bias_hh"])
    order = [1, 0, 2, 3]
    kernel, recurrent, bias = (
        np.concatenate([np.split(p[name], count)[k] for k in order[:count]])
        for name, count in (("weight_ih", 4), ("weight_hh", 3), ("bias_ih", 4))
    )
    return {"kernel": kernel.T, "recurrent_kernel": recurrent.T, "recurrent_z": p["weight_ch"].T, "bias": bias}


def minimal_rnn(p):
    return {**products(p), "latent_kernel": p["weight_mm"].T, "bias": p["bias_ih"], "gate_bias": p["bias_hh"]}


def multiplicative_lstm(p):
    """Neither of the two factors has a bias in the paper."""
    zero(p["bias_hh"], p["bias_ih"][:N])
    return {
        "kernel": p["weight_ih"].T,
        "recurrent_multiplier": p["weight_hh"].T,
        "recurrent_kernel": p["weight_mh"].T,
        "bias": p["bias_ih"][N:] + p["bias_mh"],
    }


def mut1(p):
    """The bias of the candidate is outside the inner tanh."""
    z, r, h = np.split(p["bias_ih"], 3)
    zero(h)
    also_r, also_h = np.split(p["bias_hh"], 2)
    return {**products(p), "bias": np.concatenate([z, r + also_r, also_h])}


def nas(p):
    """The fourth leaf multiplies the two products in the released cell, and adds them in torchrecurrent: without it."""
    leaf = slice(3 * N, 4 * N)
    zero(*(p[name][leaf] for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")))
    return joint(p)


def peephole_lstm(p):
    return {**joint(p), "peephole": p["weight_ph"].reshape(3, N)}


def scrn(p):
    """The read-out is another layer of ours: with the identity and without the context it is tanh of the state."""
    zero(p["bias_ih"], p["bias_hh"], p["bias_ch"], p["weight_ch"][N:])
    p["weight_hh"][N:] = np.eye(N)
    (context, kernel), recurrent = np.split(p["weight_ih"].T, 2, axis=1), p["weight_hh"][:N].T
    ours = {"context_kernel": context, "kernel": kernel}
    return {**ours, "recurrent_context": p["weight_ch"][:N].T, "recurrent_kernel": recurrent}


def t_rnn(p):
    zero(p["bias_ih"][:N])
    return {"kernel": p["weight_ih"].T, "bias": p["bias_ih"][N:]}


def previous(p):
    return {"kernel": p["weight_ih"].T, "previous_kernel": p["weight_hh"].T, "bias": p["bias_ih"] + p["bias_hh"]}


def unicornn(p):
    bias = p["bias_ih"] + p["bias_hh"]
    return {"kernel": p["weight_ih"].T, "recurrent_gain": p["weight_hh"], "step_bias": p["weight_ch"], "bias": bias}


def wmc_lstm(p):
    """The product of the memory has no bias in the paper."""
    zero(p["bias_mh"])
    return {**joint(p), "recurrent_memory": p["weight_mh"].T}


# One step of its cell from the states a and b: the states to give to the oracle, and its output and new states.


def single(cell, x, a, b):
    h = cell(x, a)
    return [a], [h, h]


def double(cell, x, a, b):
    h, c = cell(x, (a, b))
    return [a, b], [h, h, c]


def decoupled(cell, x, a, b):
    y, h = cell(x, a)
    return [a], [y, h]


def controlled(cell, x, a, b):
    h, (v, c) = cell(x, (a, b))
    return [a, b], [h, v, c]


def one_state_twice(cell, x, a, b):
    """torchrecurrent's JANET keeps h and c, which are the same from the first step on."""
    h, _ = cell(x, (a, a))
    return [a], [h, h]


def with_context(cell, x, a, b):
    h, s = cell(x, (a, b))
    h = torch.arctanh(h)
    return [a, b], [torch.cat([h, s]), h, s]


def t_gru_step(cell, x, a, b):
    """It keeps the last input, we the product with it."""
    h, _ = cell(x, (a, b[:FEATURES]))
    return [a, cell.weight_hh @ b[:FEATURES]], [h, h, cell.weight_hh @ x]


def t_lstm_step(cell, x, a, b):
    h, (c, _) = cell(x, (a, b[:FEATURES]))
    return [a, cell.weight_hh @ b[:FEATURES]], [h, c, cell.weight_hh @ x]


@dataclass
class Case:
    cell: str
    weights: Callable = joint
    step: Callable = single
    options: dict = field(default_factory=dict)  # of both (exact in float32: some are parameters of its cells)
    theirs: dict = field(default_factory=dict)
    features: int = FEATURES


CASES = {
    "antisymmetric_rnn": Case("AntisymmetricRNNCell", no_transpose, options={"epsilon": 0.3, "gamma": 0.2}),
    "gated_antisymmetric_rnn": Case("GatedAntisymmetricRNNCell", no_transpose, options={"epsilon": 0.3, "gamma": 0.2}),
    "atr": Case("ATRCell", input_bias),
    "br": Case("BRCell", br),
    "nbr": Case("NBRCell", input_bias),
    "cfn": Case("CFNCell", cfn),
    "co_rnn": Case("coRNNCell", co_rnn, double, {"dt": 0.3, "gamma": 2.7, "epsilon": 4.7}),
    "fast_rnn": Case("FastRNNCell", fast_rnn),
    "fast_grnn": Case("FastGRNNCell", fast_grnn, theirs={"nonlinearity": "sigmoid"}),  # its default gate is tanh
    "ind_rnn": Case("IndRNNCell", ind_rnn, theirs={"nonlinearity": "relu"}),  # its default is tanh
    "intersection_rnn": Case("IntersectionRNNCell", intersection_rnn, decoupled, features=UNITS),
    "janet": Case("JANETCell", step=one_state_twice, options={"beta": 0.5}),
    "lem": Case("LEMCell", lem, double, {"dt": 0.7}),
    "li_gru": Case("LiGRUCell"),
    "light_ru": Case("LightRUCell", input_bias),
    "mc_lstm": Case("MCLSTMCell", step=controlled),
    "mgu": Case("MGUCell"),
    "minimal_rnn": Case("MinimalRNNCell", minimal_rnn),
    "multiplicative_lstm": Case("MultiplicativeLSTMCell", multiplicative_lstm, double),
    "mut1": Case("MUT1Cell", mut1),
    "mut2": Case("MUT2Cell"),
    "mut3": Case("MUT3Cell"),
    "nas": Case("NASCell", nas, double),
    "original_lstm": Case("OriginalLSTMCell", step=double),
    "peephole_lstm": Case("PeepholeLSTMCell", peephole_lstm, double),
    "ran": Case("RANCell", step=double),
    "scrn": Case("SCRNCell", scrn, with_context, {"alpha": 0.75}),
    "sgrn": Case("SGRNCell", input_bias),
    "star": Case("STARCell", input_bias),
    "t_gru": Case("TGRUCell", previous, t_gru_step),
    "t_lstm": Case("TLSTMCell", previous, t_lstm_step),
    "t_rnn": Case("TRNNCell", t_rnn),
    "ugrnn": Case("UGRNNCell"),
    "unicornn": Case("UnICORNNCell", unicornn, double, {"dt": 0.3, "alpha": 2.0}, {"recurrent_bias": True}),
    "wmc_lstm": Case("WMCLSTMCell", wmc_lstm, double),
}


@pytest.mark.parametrize("name", CASES)
def test_the_oracle_agrees(name):
    case, rng = CASES[name], np.random.default_rng(0)
    cell = getattr(torchrecurrent, case.cell)(case.features, UNITS, **case.options, **case.theirs).double()
    parameters = {key: value.detach().numpy() for key, value in cell.named_parameters() if key not in case.options}
    for array in parameters.values():
        array[...] = rng.normal(size=array.shape)
    weights = case.weights(parameters)
    for _ in range(3):
        x, a, b = (torch.tensor(rng.normal(size=size)) for size in (case.features, UNITS, UNITS))
        with torch.no_grad():
            states, wanted = case.step(cell, x, a, b)
        output, new = ORACLES[name](x.numpy(), [state.numpy() for state in states], weights, **case.options)
        for got, want in zip([output, *new], wanted, strict=True):
            np.testing.assert_allclose(got, want.numpy(), atol=1e-10, rtol=0)
