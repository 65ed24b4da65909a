"""The forms of linear attention and of the delta rule for a chunk, against loops in NumPy; and heads."""

import numpy as np
import pytest
from keras import ops

from seqtasks.cells import GLA, MLSTM, DeltaNet
from seqtasks.cells.delta_rule import delta_rule, solve_unit_lower
from seqtasks.cells.linear_attention import BLOCK, decayed_products, linear_attention
from seqtasks.core.config import EncoderConfig
from seqtasks.core.errors import ConfigError
from seqtasks.layers.parameter_matching import match
from seqtasks.testing.cell_fixture import Subject
from seqtasks.testing.cell_numerics import check_equations

from .oracles import NAMES, ORACLES, matrix

BATCH, HEADS, STEPS, KEYS, VALUES = 2, 2, 4 * BLOCK, 3, 5
RNG = np.random.default_rng(0)


def normal(size):
    return RNG.normal(size=(BATCH, HEADS, STEPS, size))


Q, K, V, STATE = normal(KEYS), normal(KEYS), normal(VALUES), RNG.normal(size=(BATCH, HEADS, KEYS, VALUES))


def by_hand(transition, write):
    """Outputs and state of S_t = transition(t) S_{t-1} + k_t write(t)ᵀ, for each row and head."""
    outputs, final = np.zeros((BATCH, HEADS, STEPS, VALUES)), np.zeros_like(STATE)
    for at in np.ndindex(BATCH, HEADS):
        S = STATE[at]
        for t in range(STEPS):
            S = transition(at, t) @ S + np.outer(K[at][t], write(at, t))
            outputs[at][t] = Q[at][t] @ S
        final[at] = S
    return outputs, final


def same(computed, expected):
    for one, other in zip(computed, expected, strict=True):
        np.testing.assert_allclose(ops.convert_to_numpy(one), other, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("width", [1, KEYS])
@pytest.mark.parametrize("scale", [0.1, 1000.0], ids=["slow", "fast"])
def test_linear_attention(width, scale):
    log_decay = -scale * RNG.uniform(size=(BATCH, HEADS, STEPS, width)) ** 4
    expected = by_hand(lambda at, t: np.diag(np.exp(log_decay[at][t]) * np.ones(KEYS)), lambda at, t: V[at][t])
    same(linear_attention(Q, K, V, log_decay, STATE), expected)


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("steps", [1, 2, BLOCK, 4 * BLOCK])
def test_decayed_products(steps, strict):
    total = np.cumsum(-3 * RNG.uniform(size=(BATCH, HEADS, steps, KEYS)), axis=-2)
    q, k = Q[:, :, :steps], K[:, :, :steps]
    decay = np.exp(np.minimum(total[:, :, :, None] - total[:, :, None], 0))
    expected = np.tril(np.einsum("bhtd,bhsd,bhtsd->bhts", q, k, decay), -1 if strict else 0)
    same([decayed_products(q, k, total, total, strict)], [expected])


def test_the_delta_rule():
    beta, log_decay = RNG.uniform(0, 2, size=(BATCH, HEADS, STEPS, 1)), -RNG.uniform(size=(BATCH, HEADS, STEPS, 1))
    k = K / np.linalg.norm(K, axis=-1, keepdims=True)

    def transition(at, t):
        return np.exp(log_decay[at][t]) * (np.eye(KEYS) - beta[at][t] * np.outer(k[at][t], k[at][t]))

    def write(at, t):
        return beta[at][t] * V[at][t] / np.linalg.norm(K[at][t])  # `by_hand` writes with K

    same(delta_rule(Q, k, V, beta, log_decay, STATE), by_hand(transition, write))


def test_a_triangular_system():
    strict, right = np.tril(RNG.normal(size=(2, 6, 6)), -1), RNG.normal(size=(2, 6, 3))
    same([solve_unit_lower(strict, right)], [np.linalg.solve(np.eye(6) + strict, right)])


@pytest.mark.parametrize("cls", [GLA, DeltaNet, MLSTM])
def test_heads_divide_the_state(cls):
    assert cls(12).state_size[0] == 144
    assert cls(12, heads=3).state_size[0] == 3 * 16


@pytest.mark.parametrize("heads", [0, 5, 2.0])
def test_heads_that_do_not_divide_the_units(heads):
    with pytest.raises(ConfigError, match=rf"heads is {heads} with 12 units; allowed: a divisor of units; set"):
        GLA(12, heads=heads)


@pytest.mark.parametrize("engine", ["loop", "parallel"])
@pytest.mark.parametrize("name", NAMES[matrix].split())
def test_the_equations_of_three_heads(name, engine):
    check_equations(Subject(name, {"heads": 3}, units=6), engine, ORACLES[name])


def test_wrong_options():
    with pytest.raises(ConfigError, match="beta_max is 3; allowed: above 0, at most 2; set"):
        DeltaNet(4, beta_max=3)
    with pytest.raises(ConfigError, match=r"rank is 0 and tau is 16.0; allowed: rank ≥ 1, tau > 0; change"):
        GLA(4, rank=0)


def test_matched_units_are_a_multiple_of_the_heads():
    config = EncoderConfig(cell="delta_net", match="lstm:10", options={"heads": 4})
    # An LSTM of 10 units has 4 * 10 * (7 + 10 + 1) = 720 parameters, 32 units here 7 * (3 * 32 + 4) = 700.
    assert match(config, 7).units == 32
