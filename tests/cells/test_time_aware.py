"""Time-aware cells beyond the contract: decays, solvers, phases and limits of long gaps."""

import keras
import numpy as np
import pytest
from keras.ops import convert_to_numpy

from seqtasks.cells import CTLSTM, GRUD, ODERNN, CfC, PhasedLSTM
from seqtasks.core.errors import ConfigError
from seqtasks.layers import Recurrent

from .oracles import ORACLES

RNG = np.random.default_rng(0)
X = RNG.normal(size=(2, 7, 3)).astype("float32")
GAPS = RNG.uniform(0.1, 3.0, size=(2, 7)).astype("float32")


@pytest.fixture(autouse=True)
def seeded():
    keras.utils.set_random_seed(0)


def test_a_missing_value_decays_towards_the_mean_of_its_feature():
    layer, observed = Recurrent(GRUD(4)), RNG.random(size=X.shape) < 0.5
    layer(X)
    layer.cell.feature_mean.assign([2.0, -1.0, 0.5])
    outputs = convert_to_numpy(layer(X, time_gaps=GAPS, observed=observed)[0])
    weights = {weight.name: np.asarray(weight, "float64") for weight in layer.cell.weights}
    for row in range(len(X)):
        states = [np.zeros(4), np.zeros(3), np.zeros(3)]
        for t in range(X.shape[1]):
            wanted, states = ORACLES["gru_d"](X[row, t], states, weights, GAPS[row, t], observed[row, t])
            np.testing.assert_allclose(outputs[row, t], wanted, atol=1e-5)


def test_values_decay_to_the_mean():
    layer = Recurrent(GRUD(4))
    layer(X)
    layer.cell.feature_mean.assign([2.0, -1.0, 0.5])
    layer.cell.hidden_decay.assign(np.zeros((3, 4)))
    observed = np.zeros(X.shape, bool)
    observed[:, 0] = True
    gaps = np.full(GAPS.shape, 1e4, "float32")
    imputed = np.array(X)
    imputed[:, 1:] = [2.0, -1.0, 0.5]
    outputs = convert_to_numpy(layer(X, time_gaps=gaps, observed=observed)[0])
    layer.cell.V.assign(np.zeros((3, 12)))  # the mask itself is read, too
    without_mask = convert_to_numpy(layer(X, time_gaps=gaps, observed=observed)[0])
    np.testing.assert_allclose(without_mask, convert_to_numpy(layer(imputed)[0]), atol=1e-5)
    assert np.abs(outputs - without_mask).max() > 1e-3


def test_the_solvers_agree_and_rk4_needs_fewer_steps():
    exact = Recurrent(ODERNN(4, solver="rk4", solver_steps=16))
    exact(X)

    def error(**options):
        layer = Recurrent(ODERNN(4, **options))
        layer(X)
        layer.cell.set_weights(exact.cell.get_weights())
        return np.abs(
            convert_to_numpy(layer(X, time_gaps=GAPS)[0]) - convert_to_numpy(exact(X, time_gaps=GAPS)[0])
        ).max()

    euler = [error(solver_steps=steps) for steps in (1, 16)]
    assert 10 * error(solver="rk4", solver_steps=4) < euler[1] < euler[0] / 4


def test_two_gaps_without_an_update_are_one():
    layer = Recurrent(ODERNN(4, solver="rk4", solver_steps=8))
    layer(X)
    h = RNG.normal(size=(2, 4)).astype("float32")
    half = layer.cell.evolve(h, np.full((2, 1), 0.5, "float32"))
    twice = layer.cell.evolve(half, np.full((2, 1), 0.5, "float32"))
    np.testing.assert_allclose(twice, layer.cell.evolve(h, np.ones((2, 1), "float32")), atol=1e-5)
    np.testing.assert_array_equal(layer.cell.evolve(h, np.zeros((2, 1), "float32")), h)


def test_time_gates_open_and_close_once_a_period():
    cell = PhasedLSTM(1, open_ratio=0.5, leak=0.01)
    phases = np.array([[0.0], [0.125], [0.25], [0.375], [0.5], [0.75], [1.125], [-0.75]], "float32")
    wanted = [0.0, 0.5, 1.0, 0.5, 0.005, 0.0075, 0.5, 1.0]
    np.testing.assert_allclose(np.asarray(cell.openness(phases))[:, 0], wanted, atol=1e-6)


def test_the_phase_is_that_of_the_sum_of_gaps():
    layer = Recurrent(PhasedLSTM(3, period_min=2.0, period_max=9.0))
    steps = 500
    phase = layer(np.zeros((1, steps, 2), "float32"), time_gaps=np.full((1, steps), 30.3, "float32"))[1][2]
    wanted = steps * np.float64(np.float32(30.3)) / np.exp(np.asarray(layer.cell.log_period, "float64"))
    distance = np.abs(np.asarray(phase)[0] - wanted % 1)
    assert np.minimum(distance, 1 - distance).max() < 1e-3


def test_initial_periods_are_in_their_range():
    layer = Recurrent(PhasedLSTM(200, period_min=2.0, period_max=9.0))
    layer(X)
    period, shift = np.exp(np.asarray(layer.cell.log_period)), np.asarray(layer.cell.shift)
    assert 2 <= period.min() < 3 and 8 < period.max() <= 9
    assert np.all(shift >= 0) and np.all(shift <= period)


def test_a_memory_cell_ends_at_its_target():
    layer = Recurrent(CTLSTM(4))
    states = [RNG.uniform(0.2, 0.9, size=(2, 4)).astype("float32") for _ in range(4)]
    long = np.full((2, 1), 1e4, "float32")
    at_target = [states[1], *states[1:]]
    np.testing.assert_allclose(
        layer(X[:, :1], initial_state=states, time_gaps=long)[0],
        layer(X[:, :1], initial_state=at_target, time_gaps=np.zeros((2, 1)))[0],
        atol=1e-6,
    )


@pytest.mark.parametrize(
    ("cell", "options", "message"),
    [
        (PhasedLSTM, {"open_ratio": 0}, "open_ratio is 0; allowed: > 0 and ≤ 1"),
        (PhasedLSTM, {"leak": -0.1}, "leak is -0.1; allowed: 0 to 1"),
        (PhasedLSTM, {"period_min": 5.0, "period_max": 2.0}, "allowed: 0 < period_min ≤ period_max"),
        (CfC, {"backbone": 0}, "backbone is 0; allowed: ≥ 1"),
        (CfC, {"depth": 0}, "depth is 0; allowed: ≥ 1"),
        (ODERNN, {"solver": "heun"}, "solver is 'heun'; allowed: euler, rk4"),
        (ODERNN, {"solver_steps": 0}, "solver_steps is 0; allowed: ≥ 1"),
        (ODERNN, {"hidden": -1}, "hidden is -1; allowed: ≥ 0"),
    ],
)
def test_options_out_of_range(cell, options, message):
    with pytest.raises(ConfigError, match=message):
        cell(4, **options)
