"""Zoneout: states that keep their old value at random, and in inference their expectation."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from ..by_hand import CELLS, FEATURES, MASK, STEPS, X, by_hand, differ, make, same, start_of, values, weights_of
from ..cells.oracles import ORACLES

ZONED = [*CELLS, "t_gru", "elman"]  # of the last, the output is no state


@pytest.mark.parametrize("cell", ZONED)
@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_zoneout_in_inference_is_the_expectation(cell, direction):
    layer = make(cell, zoneout=0.3, direction=direction)
    assert layer.running_engine == "loop"
    weights, start = weights_of(layer), start_of(layer)
    wanted = by_hand(cell, weights, start, zone=lambda *_: 0.3, backward=direction == "backward")
    got = values(layer, X, mask=MASK, initial_state=start)
    same(got, wanted)
    assert differ(got[0], by_hand(cell, weights, start, backward=direction == "backward")[0])
    same(values(layer, X, mask=MASK, initial_state=start), got)  # nothing is drawn


@pytest.mark.parametrize("cell", ZONED)
@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_zoneout_in_training_keeps_what_was_drawn(monkeypatch, cell, direction):
    layer, drawn = make(cell, zoneout=0.3, direction=direction), []

    def uniform(shape, seed=None, **_):
        drawn.append(np.random.default_rng(len(drawn)).random([int(n) for n in shape]))
        return tf.constant(drawn[-1])

    monkeypatch.setattr(keras.random, "uniform", uniform)
    weights, start = weights_of(layer), start_of(layer)
    got = values(layer, X, mask=MASK, initial_state=start, training=True)
    assert [u.shape for u in drawn] == [(4, STEPS, size) for size in layer.cell.state_size]
    backward = direction == "backward"
    same(got, by_hand(cell, weights, start, zone=lambda k, row, t: drawn[k][row, t] < 0.3, backward=backward))
    for state, first in zip(got[1:], start, strict=True):
        np.testing.assert_array_equal(state[3], first[3])  # the row without a real step


@pytest.mark.parametrize("cell", ["gru", "lstm", "rhn", "lstmp", "co_rnn", "t_gru"])
def test_zoneout_takes_the_old_or_the_new_value_at_its_rate(cell):
    layer = make(cell, 32, zoneout=0.3)
    x, weights = np.random.default_rng(4).normal(size=(20, 1, FEATURES)), weights_of(layer)
    start = start_of(layer, 20)
    _, *new = by_hand(cell, weights, start, x, np.ones((20, 1), bool))
    kept = []
    for _ in range(2):
        _, *got = values(layer, x, initial_state=start, training=True)
        for state, old, now in zip(got, start, new, strict=True):
            stays = state == old
            same([state[~stays]], [now[~stays]])
            assert abs(stays.mean() - 0.3) < 5 * np.sqrt(0.21 / stays.size)
            assert np.any(stays[0] != stays[1]), "each row draws its own"
            kept.append(stays)
    n = len(start)
    assert all(np.any(a != b) for a, b in zip(kept[:n], kept[n:], strict=True)), "each call draws its own"
    if n > 1 and kept[0].shape == kept[1].shape:
        assert np.any(kept[0] != kept[1]), "each state draws its own"


@pytest.mark.parametrize("cell", ["gru", "rhn"])
def test_the_output_is_the_zoned_state_at_every_step(cell):
    layer = make(cell, 64, zoneout=0.5)
    weights, start = weights_of(layer), start_of(layer)
    outputs, final = values(layer, X, mask=MASK, initial_state=start, training=True)
    patterns = []
    for row in range(4):
        state = start[0][row]
        for t in range(STEPS):
            if not MASK[row, t]:
                assert not outputs[row, t].any()
                continue
            new, _ = ORACLES[cell](X[row, t], [state], weights)
            stays = outputs[row, t] == state
            same([outputs[row, t][~stays]], [new[~stays]])
            patterns.append(tuple(stays))
            state = outputs[row, t]
        np.testing.assert_array_equal(final[row], state)
    assert len(set(patterns)) == len(patterns), "each step draws its own"
