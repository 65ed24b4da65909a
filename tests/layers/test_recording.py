"""Recorded calls: outputs as without, states of every layer, and kept states that do not change."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from seqtasks.layers import Encoder
from seqtasks.layers.recording import portable, recorder, recording

X = np.random.default_rng(0).normal(size=(3, 6, 4)).astype("float32")
MASK = np.array([[1] * 6, [1, 1, 1, 0, 0, 0], [1, 1, 1, 1, 1, 0]], bool)


@pytest.mark.parametrize("sequences", [True, False])
@pytest.mark.parametrize("cell", ["lstm", "min_gru", "lru"])
def test_outputs_are_those_without_recording(cell, sequences):
    encoder = Encoder(cell=cell, units=5, layers=2, bidirectional=True, layer_norm=True)
    outputs, final = encoder(X, mask=MASK, return_sequences=sequences)
    with recording() as records:
        recorded, states = encoder(X, mask=MASK, return_sequences=sequences)
    np.testing.assert_allclose(recorded, outputs, atol=1e-5)
    for one, other in zip(keras.tree.flatten(states), keras.tree.flatten(final), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    assert [record.layer for record in records] == encoder.recurrents
    assert [record.inputs.reverse for record in records] == [False, True, False, True]
    assert recorder() is None


def test_tokens_and_their_table_have_the_states_of_their_rows():
    encoder = Encoder(cell="gru", units=5)
    tokens = np.array([[0, 2, 1], [3, 3, 0]], "int32")
    table = X[0]
    with recording() as records:
        encoder(table[tokens])
        encoder(table[tokens], tokens=tokens, table=table)
    (one,), (other,) = (record.states for record in records)
    np.testing.assert_allclose(one, other, atol=1e-6)


def test_kept_states_do_not_change_and_training_is_not_recorded():
    encoder = Encoder(cell="lstm", units=5, stateful=True, max_batch=3)
    encoder(X)
    kept = [np.copy(keras.ops.convert_to_numpy(variable)) for variable in encoder.variables]
    with recording() as records:
        encoder(2 * X, training=False)
        encoder(X, training=True)
    assert len(records) == 1
    after_training = [np.copy(keras.ops.convert_to_numpy(variable)) for variable in encoder.variables]
    names = [variable.path for variable in encoder.variables]
    kept_states = [i for i, name in enumerate(names) if "kept_state" in name]
    changed = [i for i in kept_states if np.abs(kept[i] - after_training[i]).max() > 0]
    assert len(kept_states) == 4 and changed == kept_states[:2]  # those of training only


def test_zoneout_of_inference_is_in_the_states():
    encoder = Encoder(cell="simple_rnn", units=5, zoneout=0.5)
    outputs, (final,) = encoder(X)
    with recording() as records:
        encoder(X)
    np.testing.assert_allclose(np.asarray(records[0].states[0])[:, -1], final[0], atol=1e-6)
    np.testing.assert_allclose(records[0].states[0], outputs, atol=1e-6)


def test_shifts_reach_the_layer_that_they_are_for():
    encoder = Encoder(cell="simple_rnn", units=5, layers=2)
    plain, _ = encoder(X)
    upper = encoder.recurrents[1]
    shift = keras.ops.ones((3, 6, 5))
    with recording(gates=False, shifts=lambda layer, _: [shift] if layer is upper else None) as records:
        shifted, _ = encoder(X)
    assert np.abs(np.asarray(shifted) - np.asarray(plain)).min() > 0
    with recording(gates=False) as unshifted:
        encoder(X)
    np.testing.assert_allclose(records[0].states[0], unshifted[0].states[0], atol=1e-6)


def test_portable_runs_start_from_the_given_states():
    encoder = Encoder(cell="lstm", units=5, layers=2, stateful=True)
    encoder(X)
    kept = [np.copy(keras.ops.convert_to_numpy(variable)) for variable in encoder.variables]
    whole, _ = encoder(X, initial_state=encoder.initial_state(3))
    states = {id(layer): layer.cell.get_initial_state(3) for layer in encoder.recurrents}
    for t in range(X.shape[1]):
        with portable(states) as finals:
            output, _ = encoder(X[:, t : t + 1])
        np.testing.assert_allclose(output[:, 0], whole[:, t], atol=1e-6)
        states = dict(finals)
    for before, variable in zip(kept, encoder.variables, strict=True):
        np.testing.assert_array_equal(before, keras.ops.convert_to_numpy(variable))
