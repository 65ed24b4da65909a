"""The first and the last real step of a masked sequence, against a loop over the rows."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqtasks.engines.backend.masking import first_valid_step, last_valid_step

X = np.random.default_rng(0).normal(size=(6, 5, 3)).astype("float32")
MASKS = {
    "right-padded": np.arange(5) < np.array([[5], [4], [3], [2], [1], [0]]),
    "left-padded": np.arange(5) >= np.array([[0], [1], [2], [3], [4], [5]]),
    "holes": np.array(
        [[1, 0, 1, 0, 1], [0, 1, 0, 1, 0], [0, 0, 1, 0, 0], [1, 0, 0, 0, 1], [0, 1, 1, 0, 0], [0, 0, 0, 0, 0]], bool
    ),
    "nothing": np.zeros((6, 5), bool),
    "all": np.ones((6, 5), bool),
}
every = pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
ends = pytest.mark.parametrize(("step", "which"), [(last_valid_step, -1), (first_valid_step, 0)], ids=["last", "first"])


def by_hand(mask, which, x=X):
    """Row by row: the first or last step that is real, zeros if none is."""
    rows = zip(x, mask, strict=True)
    return np.stack([row[np.flatnonzero(real)[which]] if real.any() else 0 * row[0] for row, real in rows])


@every
@ends
def test_the_real_step_is_taken(step, which, mask):
    np.testing.assert_array_equal(step(X, mask), by_hand(mask, which))


@ends
def test_a_row_without_a_real_step_is_zero(step, which):
    np.testing.assert_array_equal(step(X, MASKS["nothing"]), np.zeros((6, 3)))


@ends
def test_without_a_mask_it_is_the_end_of_the_array(step, which):
    np.testing.assert_array_equal(step(X), X[:, which])
    np.testing.assert_array_equal(step(X, MASKS["all"]), X[:, which])


@every
@ends
@pytest.mark.parametrize("kind", ["int32", "float32"])
def test_any_kind_of_mask_is_read_as_true_or_false(step, which, mask, kind):
    np.testing.assert_array_equal(step(X, mask.astype(kind) * 3), by_hand(mask, which))


@ends
@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_the_dtype_stays(step, which, dtype):
    actual = keras.ops.convert_to_numpy(step(tf.constant(X, dtype), MASKS["holes"]))
    assert actual.dtype == dtype
    np.testing.assert_array_equal(actual, by_hand(MASKS["holes"], which, X.astype(dtype)))


@ends
def test_a_graph_with_unknown_sizes(step, which):
    graph = tf.function(step, input_signature=[tf.TensorSpec((None, None, 3)), tf.TensorSpec((None, None), tf.bool)])
    for rows, steps in ((6, 5), (4, 2), (1, 1)):
        x, mask = X[:rows, :steps], MASKS["holes"][:rows, :steps]
        np.testing.assert_array_equal(graph(x, mask), by_hand(mask, which, x))


@ends
def test_the_gradient_goes_to_that_step_alone(step, which):
    mask, x = MASKS["holes"], tf.constant(X)
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(step(x, mask))
    expected = np.zeros_like(X)
    for row, real in enumerate(mask):
        if real.any():
            expected[row, np.flatnonzero(real)[which]] = 1
    np.testing.assert_array_equal(tape.gradient(total, x), expected)
