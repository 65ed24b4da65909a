"""Logarithms of channels."""

import numpy as np
import pytest

from seqtasks.data.series.logarithms import chosen_floors, from_logarithms, grows, to_logarithms


def test_only_channels_whose_spread_grows_are_chosen():
    time = np.arange(120)
    grown = np.exp(time / 30) * (5 + np.tile([1.0, -1.0], 60))
    level = 100 + time + np.tile([1.0, -1.0], 60)  # grows, but its spread does not
    below = grown - 10
    past = [np.stack([grown, level, below], axis=1)]
    assert chosen_floors(past, 1, "auto") == [0.1 * grown.min(), 0, 0]
    assert chosen_floors(past, 1, "none") == [0, 0, 0]
    assert not grows([np.full(5, np.nan)], 1)


@pytest.mark.parametrize("floors", [[0.0, 0.0], [0.5, 0.0], [0.5, 2.0]])
def test_the_inverse(floors):
    values = np.random.default_rng(0).uniform(3, 9, (4, 5, 2))
    values[..., 1] -= 6 * (floors[1] == 0)
    moved = to_logarithms(values, floors)
    for channel, floor in enumerate(floors):
        expected = np.log(values[..., channel]) if floor else values[..., channel]
        np.testing.assert_allclose(moved[..., channel], expected)
    np.testing.assert_allclose(from_logarithms(moved, floors), values)


def test_missing_values_stay_missing_and_small_ones_are_the_floor():
    moved = to_logarithms(np.array([[np.nan, np.nan], [-1.0, -1.0]]), [0.5, 0.0])
    assert np.isnan(moved[0]).all() and moved[1].tolist() == [np.log(0.5), -1.0]
