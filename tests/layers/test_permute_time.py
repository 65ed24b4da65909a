"""A fixed order of steps."""

import keras
import numpy as np
import pytest

from seqtasks.layers.permute_time import PermuteTime

X = np.arange(2 * 4 * 3, dtype="float32").reshape(2, 4, 3)


def test_steps_are_put_in_order():
    np.testing.assert_array_equal(PermuteTime([2, 0, 3, 1])(X), X[:, [2, 0, 3, 1]])


def test_the_inverse_order_gives_the_input_back():
    layer = PermuteTime.random(4, seed=1)
    np.testing.assert_array_equal(PermuteTime(np.argsort(layer.order))(layer(X)), X)


def test_a_random_order_depends_on_the_seed_alone():
    assert PermuteTime.random(50, 3).order == PermuteTime.random(50, 3).order != PermuteTime.random(50, 4).order
    assert sorted(PermuteTime.random(50, 3).order) == list(range(50)) != PermuteTime.random(50, 3).order


@pytest.mark.parametrize("order", [[0, 0], [1, 2], [0, 2], [-1, 0]])
def test_invalid_permutations_are_refused(order):
    with pytest.raises(ValueError, match="allowed: a permutation of 0 … 1"):
        PermuteTime(order)


def test_the_order_is_saved_with_a_model(tmp_path):
    inputs = keras.Input((4, 3))
    model = keras.Model(inputs, PermuteTime.random(4, seed=2)(inputs))
    model.save(tmp_path / "model.keras")
    np.testing.assert_array_equal(keras.models.load_model(tmp_path / "model.keras")(X), model(X))
