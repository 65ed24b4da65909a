"""Gradients over time against a known spectral radius and against finite differences."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from seqtasks.core.errors import ConfigError
from seqtasks.layers import Encoder
from seqtasks.losses import TokenLoss
from seqtasks.views.gradient_flow import gradient_norms, slope

MSE = keras.losses.MeanSquaredError()


def network(cell, units=4, features=3, layers=1, sequences=False, **options):
    keras.utils.set_random_seed(1)
    x = keras.Input((None, features), dtype="float64")
    encoder = Encoder(
        cell=cell, units=units, layers=layers, options=options, engine="loop", name="encoder", dtype="float64"
    )
    outputs, _ = encoder(x, return_sequences=sequences)
    return keras.Model(x, keras.layers.Dense(1, dtype="float64")(outputs)), encoder


def test_a_linear_recurrence_has_the_slope_of_its_spectral_radius():
    model, encoder = network("simple_rnn", units=6, activation="linear")
    rng = np.random.default_rng(0)
    directions, _ = np.linalg.qr(rng.normal(size=(6, 6)))
    for radius in (0.9, 1.05):
        matrix = directions @ np.diag([radius, -0.8, 0.7, 0.5, 0.3, 0.1]) @ directions.T
        encoder.recurrents[0].cell.U.assign(matrix)
        norms = gradient_norms(model, (rng.normal(size=(3, 101, 3)), np.zeros(3)), MSE)["layer 1"]
        assert len(norms) == 101
        assert slope(norms, 50, 100) == pytest.approx(np.log(radius), rel=0.01)


def by_hand(model, encoder, x, targets, step, size=1e-5):
    """Norms of the gradient at a step: finite differences by plain calls of the cell, one row for each difference."""
    cell, rows = encoder.recurrents[0].cell, len(x)
    total = sum(cell.state_size)
    shifts = size * np.concatenate([np.eye(total), -np.eye(total)])  # one sequence for each state and sign
    x, shifts = np.repeat(x, 2 * total, axis=0), np.tile(shifts, (rows, 1))
    states = cell.get_initial_state(len(x))
    for t in range(x.shape[1]):
        output, new = cell.step(cell.project(keras.ops.convert_to_tensor(x[:, t])), states)
        if t == step:
            is_state = [state is output for state in new]
            joined = np.concatenate([np.asarray(state) for state in new], axis=-1) + shifts
            new = [
                keras.ops.convert_to_tensor(part) for part in np.split(joined, np.cumsum(cell.state_size)[:-1], axis=-1)
            ]
            output = next((state for state, same in zip(new, is_state, strict=True) if same), output)
        states = new
    losses = (np.asarray(model.layers[-1](output))[:, 0] - np.repeat(targets, 2 * total)) ** 2
    above, below = np.moveaxis(losses.reshape(rows, 2, total), 1, 0)
    return np.linalg.norm((above - below) / (2 * size), axis=-1)


@pytest.mark.a_third
@pytest.mark.parametrize("cell", ["lstm", "gru", "simple_rnn", "ind_rnn", "lru", "antisymmetric_rnn"])
def test_norms_of_the_cells_are_those_of_finite_differences(cell):
    model, encoder = network(cell)
    rng = np.random.default_rng(2)
    x, targets = rng.normal(size=(2, 10, 3)), rng.normal(size=2)
    norms = gradient_norms(model, (x, targets), MSE)["layer 1"]
    checked = 0
    for back in (0, 1, 2, 5, 9):
        expected = by_hand(model, encoder, x, targets, 9 - back).mean()
        if expected >= 1e-8:
            assert norms[back] == pytest.approx(expected, rel=0.01), back
            checked += 1
    assert checked >= 4


def test_padding_and_the_loss_of_the_last_valid_step():
    keras.utils.set_random_seed(0)
    x, mask = keras.Input((None, 3)), keras.Input((None,), dtype="bool")
    outputs, _ = Encoder(cell="simple_rnn", units=4, layers=2, name="encoder")(x, mask=mask)
    model = keras.Model([x, mask], keras.ops.sum(outputs, axis=-1))
    values = np.random.default_rng(0).normal(size=(1, 6, 3)).astype("float32")
    padded = np.concatenate([values, 9 * np.ones((1, 4, 3), "float32")], axis=1)
    results = []
    for array, length in ((values, 6), (padded, 6)):
        valid = np.arange(array.shape[1])[None] < length
        inputs = [keras.ops.convert_to_tensor(array), keras.ops.convert_to_tensor(valid)]
        batch = (inputs, np.zeros(valid.shape, "float32"), valid.astype("float32"))
        results.append(gradient_norms(model, batch, TokenLoss()))
    assert list(results[0]) == ["layer 1", "layer 2"]
    for layer, norms in results[0].items():
        np.testing.assert_allclose(results[1][layer], norms, rtol=1e-4)
        assert len(norms) == 6 and norms[0] > 0


def test_the_last_step_only_counts_where_there_are_several_losses():
    model, _ = network("simple_rnn", sequences=True)
    x = np.random.default_rng(0).normal(size=(2, 8, 3))
    whole = gradient_norms(model, (x, np.zeros((2, 8, 1))), MSE)["layer 1"]
    single, _ = network("simple_rnn")
    single.set_weights(model.get_weights())
    np.testing.assert_allclose(gradient_norms(single, (x, np.zeros(2)), MSE)["layer 1"], whole)


def test_backward_layers_are_left_out_and_steps_are_cut():
    x = keras.Input((None, 3))
    outputs, _ = Encoder(cell="gru", units=4, bidirectional=True, name="encoder")(x, return_sequences=False)
    model = keras.Model(x, keras.layers.Dense(1)(outputs))
    norms = gradient_norms(model, (np.ones((1, 9, 3), "float32"), np.zeros(1)), MSE, steps=4)
    assert {name: len(values) for name, values in norms.items()} == {"layer 1": 5}


def test_a_model_without_recurrent_layers_is_refused():
    x = keras.Input((5, 3))
    model = keras.Model(x, keras.layers.Dense(1)(x))
    with pytest.raises(ConfigError, match="no recurrent layer that reads whole sequences; allowed"):
        gradient_norms(model, (np.ones((1, 5, 3)), np.zeros((1, 5))), MSE)


def test_the_slope_leaves_out_what_float32_cannot_hold():
    norms = 0.1 ** np.arange(60.0)
    assert slope(norms, 0, 59) == pytest.approx(np.log(0.1))
    assert np.isnan(slope(np.zeros(10), 0, 9))
