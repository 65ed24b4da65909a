"""Scheduled sampling: how many tokens are replaced, by what, and when."""

import keras
import numpy as np
import pytest

from seqtasks.layers.scheduled_sampling import ScheduledSampling

PREVIOUS = np.tile(np.array([[1, 5, 6, 7, 0]], np.int32), (4000, 1))
GUESSES = np.tile(np.array([[8, 9, 8, 9, 8]], np.int32), (4000, 1))


def test_the_share_rises_with_the_updates():
    layer = ScheduledSampling(0.5, 10, seed=0)
    for update in range(15):
        mixed = keras.ops.convert_to_numpy(layer(PREVIOUS, GUESSES, training=True))
        replaced = mixed != PREVIOUS
        assert not replaced[:, [0, 4]].any()
        np.testing.assert_array_equal(mixed[:, 1:4][replaced[:, 1:4]], GUESSES[:, :3][replaced[:, 1:4]])
        share = 0.5 * min(1, update / 10)
        assert replaced[:, 1:4].mean() == pytest.approx(share, abs=4 * np.sqrt(0.25 / 12000))


def test_replacement_happens_in_training_only():
    layer = ScheduledSampling(1.0, 1)
    layer(PREVIOUS, GUESSES, training=True)
    np.testing.assert_array_equal(layer(PREVIOUS, GUESSES), PREVIOUS)
    np.testing.assert_array_equal(layer(PREVIOUS, GUESSES, training=True)[:, 1:4], GUESSES[:, :3])


def test_it_is_saved(tmp_path):
    previous, guesses = (keras.Input((None,), dtype="int32") for _ in range(2))
    model = keras.Model([previous, guesses], ScheduledSampling(0.5, 10, seed=1)(previous, guesses))
    model([PREVIOUS, GUESSES], training=True)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras").layers[-1]
    assert float(again.updates) == 1 and (again.rate, again.steps, again.seed) == (0.5, 10, 1)
