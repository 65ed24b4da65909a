"""The cells against their papers, written again in float64 NumPy, gate by gate."""

import numpy as np
import pytest

from seqtasks.cells.base import make_cell
from seqtasks.recurrent import Recurrent

UNITS, FEATURES, ROWS, STEPS = 4, 3, 2, 6


def sigma(x):
    return 1 / (1 + np.exp(-x))


def elman(x, h, w):
    """Elman 1990: h = tanh(W x + U h + b)."""
    W, U, b = w
    return [np.tanh(W.T @ x + U.T @ h[0] + b)]


def hochreiter(x, state, w):
    """Gers et al. 2000: input, forget, candidate and output gate, each with its own matrices."""
    h, c = state
    W, U, b = (np.split(part, 4, axis=-1) for part in w)
    a = [W[k].T @ x + U[k].T @ h + b[k] for k in range(4)]
    remembered = sigma(a[1]) * c + sigma(a[0]) * np.tanh(a[2])
    return [sigma(a[3]) * np.tanh(remembered), remembered]


def cho(x, state, w):
    """Cho et al. 2014, eqs. 5 to 8: the reset gate falls on the state before the product."""
    h = state[0]
    (Wz, Wr, W), (Uz, Ur, U), (bz, br, b) = (np.split(part, 3, axis=-1) for part in w)
    z = sigma(Wz.T @ x + Uz.T @ h + bz)
    r = sigma(Wr.T @ x + Ur.T @ h + br)
    return [z * h + (1 - z) * np.tanh(W.T @ x + U.T @ (r * h) + b)]


def cudnn(x, state, w):
    """Chetlur et al. 2014 (cuDNN): the reset gate falls on the product, which has its own bias."""
    h = state[0]
    (Wz, Wr, W), (Uz, Ur, U) = (np.split(part, 3, axis=-1) for part in w[:2])
    (bz, br, b), (cz, cr, c) = (np.split(part, 3) for part in w[2])
    z = sigma(Wz.T @ x + Uz.T @ h + bz + cz)
    r = sigma(Wr.T @ x + Ur.T @ h + br + cr)
    return [z * h + (1 - z) * np.tanh(W.T @ x + b + r * (U.T @ h + c))]


CASES = {
    "simple_rnn": ("simple_rnn", {}, elman),
    "lstm": ("lstm", {}, hochreiter),
    "gru": ("gru", {}, cudnn),
    "gru before": ("gru", {"reset_after": False}, cho),
}


@pytest.mark.parametrize("engine", ["loop", "keras"])
@pytest.mark.parametrize("case", CASES)
def test_the_equations_of_the_paper(case, engine):
    name, options, step = CASES[case]
    rng = np.random.default_rng(0)
    layer = Recurrent(make_cell(name, UNITS, options, dtype="float64"), engine=engine, dtype="float64")
    x = rng.normal(size=(ROWS, STEPS, FEATURES))
    layer.build(x.shape)
    weights = [rng.normal(size=w.shape) for w in layer.cell.get_weights()]
    layer.cell.set_weights(weights)
    start = [rng.normal(size=(ROWS, UNITS)) for _ in layer.cell.states]
    outputs, final = layer(x, initial_state=start)
    assert "float64" in str(outputs.dtype)
    for row in range(ROWS):
        state = [s[row] for s in start]
        for t in range(STEPS):
            state = step(x[row, t], state, weights)
            np.testing.assert_allclose(outputs[row, t], state[0], atol=1e-10, rtol=0)
        for got, wanted in zip(final, state, strict=True):
            np.testing.assert_allclose(got[row], wanted, atol=1e-10, rtol=0)


def test_the_two_forms_of_the_gru_are_different_functions():
    x, h = np.ones(FEATURES), [np.full(UNITS, 0.5)]
    rng = np.random.default_rng(0)
    W, U, b = (rng.normal(size=size) for size in ((FEATURES, 3 * UNITS), (UNITS, 3 * UNITS), (3 * UNITS,)))
    after, before = cudnn(x, h, (W, U, np.stack([b, 0 * b])))[0], cho(x, h, (W, U, b))[0]
    assert np.abs(after - before).max() > 1e-2
