"""Dropout of the recurrent matrices: one mask a call, the weights themselves untouched, on every engine."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqtasks.cells.registration import make_cell
from seqtasks.layers.recurrent import Recurrent

from ..by_hand import (
    CELLS,
    FEATURES,
    MASK,
    MATRICES,
    STEPS,
    UNITS,
    X,
    by_hand,
    differ,
    fixed_dropout,
    halves,
    make,
    same,
    start_of,
    values,
    weights_of,
)

ENGINES = [(cell, "loop") for cell in CELLS] + [(cell, "keras") for cell in ("simple_rnn", "gru", "lstm")]
runs = pytest.mark.parametrize(("cell", "engine"), ENGINES)


def dropped(cell, weights):
    return {name: value * halves(value.shape) if name in MATRICES[cell] else value for name, value in weights.items()}


@runs
@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_weight_drop_is_one_mask_for_all_steps_of_a_call(monkeypatch, cell, engine, direction):
    asked = fixed_dropout(monkeypatch)
    layer = make(cell, engine=engine, weight_drop=0.5, direction=direction)
    weights, start = weights_of(layer), start_of(layer)
    got = values(layer, X, mask=MASK, initial_state=start, training=True)
    assert sorted(asked) == sorted((weights[name].shape, 0.5) for name in MATRICES[cell])
    backward = direction == "backward"
    same(got, by_hand(cell, dropped(cell, weights), start, backward=backward))
    assert differ(got[0], by_hand(cell, weights, start, backward=backward)[0])


@runs
def test_weight_drop_is_off_in_inference_and_leaves_the_weights(monkeypatch, cell, engine):
    asked = fixed_dropout(monkeypatch)
    layer = make(cell, engine=engine, weight_drop=0.5)
    before, weights, start = list(layer.cell.weights), weights_of(layer), start_of(layer)
    attributes = layer.cell.recurrent_weights()
    values(layer, X, mask=MASK, initial_state=start, training=True)
    asked.clear()
    same(values(layer, X, mask=MASK, initial_state=start), by_hand(cell, weights, start))
    assert asked == []
    assert all(a is b for a, b in zip(layer.cell.weights, before, strict=True))
    assert all(layer.cell.recurrent_weights()[name] is weight for name, weight in attributes.items())
    assert len(layer.trainable_weights) == len(before)
    for name, value in weights_of(layer).items():
        np.testing.assert_array_equal(value, weights[name])


@runs
def test_the_gradient_reaches_the_raw_weights(monkeypatch, cell, engine):
    fixed_dropout(monkeypatch)
    layer, readout = make(cell, engine=engine, weight_drop=0.5), 1 + np.arange(STEPS)[:, None]
    weights, start = weights_of(layer), start_of(layer)
    with tf.GradientTape() as tape:
        outputs, _ = layer(X, mask=MASK, initial_state=start, training=True)
        total = tf.reduce_sum(outputs * readout)
    found = dict(zip(weights, tape.gradient(total, [w.value for w in layer.cell.weights]), strict=True))

    def loss(weights):
        return np.sum(by_hand(cell, dropped(cell, weights), start)[0] * readout)

    for name, value in weights.items():
        way = np.random.default_rng(3).normal(size=value.shape)
        sides = [loss(weights | {name: value + sign * 1e-6 * way}) for sign in (1, -1)]
        np.testing.assert_allclose(np.sum(found[name] * way), (sides[0] - sides[1]) / 2e-6, rtol=1e-5, err_msg=name)
    for name in MATRICES[cell]:
        kept = halves(weights[name].shape) > 0
        assert np.all(found[name].numpy()[~kept] == 0) and np.any(found[name].numpy()[kept] != 0)


def test_weights_come_back_after_an_error(monkeypatch):
    layer = make("rhn", weight_drop=0.5)
    raw = list(layer.cell.R)
    monkeypatch.setattr(layer.cell, "step", lambda p, states: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        layer(X, training=True)
    assert all(a is b for a, b in zip(layer.cell.R, raw, strict=True))


@pytest.mark.parametrize("engine", ["loop", "keras"])
def test_drawn_masks_are_one_a_call_and_new_for_each(engine):
    """Of a linear network whose state starts as a row of the identity, the first step tells the matrix."""
    options = {"activation": "linear", "kernel_initializer": "zeros", "recurrent_initializer": "ones"}
    layer = make("simple_rnn", 32, engine, "float32", options, weight_drop=0.25)
    x, start = np.zeros((32, 3, FEATURES), "float32"), [np.eye(32, dtype="float32")]
    matrices = []
    for _ in range(2):
        one, two, three = np.swapaxes(values(layer, x, initial_state=start, training=True)[0], 0, 1)
        matrices.append(one)
        same([one], [np.where(one > 0.1, 1 / 0.75, 0)], 1e-5)
        assert abs((one == 0).mean() - 0.25) < 0.08
        same([two, three], [one @ one, one @ one @ one], 1e-2)
    assert (matrices[0] != matrices[1]).any()


def test_weights_are_saved_without_weight_drop(tmp_path):
    inputs = keras.Input((STEPS, FEATURES))
    layer = Recurrent(make_cell("gru", UNITS), weight_drop=0.5)
    model = keras.Model(inputs, layer(inputs, return_sequences=False)[0])
    model.compile(keras.optimizers.SGD(0.5), "mse")
    before = weights_of(layer)
    model.fit(X.astype("float32"), np.ones((4, UNITS)), epochs=2, verbose=0)
    assert all(differ(value, before[name]) for name, value in weights_of(layer).items())
    weights = {name: value.astype("float64") for name, value in weights_of(layer).items()}
    wanted = by_hand("gru", weights, [np.zeros((4, UNITS))], mask=np.ones((4, STEPS), bool))[0][:, -1]
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    for one in (model, again):
        same([np.asarray(one(X.astype("float32")))], [wanted], 1e-5)
