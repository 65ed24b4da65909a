"""Hidden stretches: as many and as wide as asked for, in training only, drawn by the seed."""

import keras
import numpy as np
import pytest

from seqtasks.layers.speech import SpecAugment

ONES = np.ones((300, 50, 20), "float32")


def widths(hidden):
    """Of the stretch of each row (rows, places), which has to be one."""
    begins = np.diff(hidden.astype(int), axis=1, prepend=0) == 1
    assert (begins.sum(axis=1) <= 1).all()
    return hidden.sum(axis=1)


def test_only_training_is_disturbed():
    layer = SpecAugment(noise=1.0, seed=0)
    np.testing.assert_array_equal(np.array(layer(ONES)), ONES)
    assert (np.array(layer(ONES, training=True)) != ONES).any()


def test_a_stretch_of_time_hides_all_bands_and_a_stretch_of_bands_all_steps():
    x = np.array(SpecAugment(1, 8, 0, 0, seed=1)(ONES, training=True))
    hidden = (x == 0).all(axis=2)
    assert ((x == 0).any(axis=2) == hidden).all()
    assert set(widths(hidden)) == set(range(9))  # in 300 rows each width from 0 to the most comes
    x = np.array(SpecAugment(0, 0, 1, 5, seed=1)(ONES, training=True))
    hidden = (x == 0).all(axis=1)
    assert ((x == 0).any(axis=1) == hidden).all() and set(widths(hidden)) == set(range(6))
    assert hidden.any(axis=0).all()  # any place


def test_short_rows_keep_most_of_their_steps():
    mask = np.arange(50)[None] < np.array([10] * 300)[:, None]
    x = np.array(SpecAugment(1, 30, 0, 0, seed=2)(ONES, mask=mask, training=True))
    hidden = (x == 0).all(axis=2)
    assert hidden[:, :10].sum(axis=1).max() == 2 and not hidden[:, 10:].any()


def test_bands_can_be_hidden_all():
    x = np.array(SpecAugment(0, 0, 1, 99, seed=2)(ONES, training=True))
    assert np.isfinite(x).all() and (x == 0).all(axis=(1, 2)).any()


def test_noise_has_the_deviation_asked_for():
    x = np.array(SpecAugment(0, 0, 0, 0, noise=0.5, seed=3)(ONES, training=True))
    assert x.mean() == pytest.approx(1, abs=0.01) and x.std() == pytest.approx(0.5, abs=0.01)


def test_the_seed_decides_and_the_settings_are_saved():
    layer = SpecAugment(1, 5, 1, 5, 0.1, seed=4)
    again = SpecAugment.from_config(layer.get_config())
    first = np.array(layer(ONES, training=True))
    np.testing.assert_array_equal(np.array(again(ONES, training=True)), first)
    assert (np.array(layer(ONES, training=True)) != first).any()
    with pytest.raises(ValueError, match="time_width is -1; allowed: 0 or more"):
        SpecAugment(time_width=-1)
    assert keras.saving.get_registered_object("seqtasks>SpecAugment") is SpecAugment
