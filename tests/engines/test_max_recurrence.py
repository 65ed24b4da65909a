"""m_t = max(m_{t-1} + d_t, k_t): the sequential way and the scan, against a loop in NumPy and its differences."""

import numpy as np
import pytest
import tensorflow as tf

from seqtasks.engines.max_recurrence import associative, max_recurrence
from seqtasks.engines.parallel import Recurrence

each = pytest.mark.parametrize("solve", [max_recurrence, associative])
MASK = np.array([[1, 1, 1, 1, 1, 1, 1], [1, 0, 1, 0, 0, 1, 0], [0, 0, 0, 0, 0, 0, 0]], bool).T


def draw(time=7, batch=3, size=4):
    rng = np.random.default_rng(0)
    return -rng.uniform(0, 2, (time, batch, size)), rng.normal(size=(time, batch, size)), rng.normal(size=(batch, size))


def by_hand(d, k, m0, mask=None):
    m, results = m0, []
    for t in range(len(k)):
        new = np.maximum(m + d[t], k[t])
        m = new if mask is None else np.where(mask[t, :, None], new, m)
        results.append(m)
    return np.stack(results)


def same(computed, expected):
    np.testing.assert_allclose(computed, expected, rtol=0, atol=1e-9)


@each
@pytest.mark.parametrize("time", [1, 2, 7])
def test_all_values(solve, time):
    at = draw(time)
    same(solve(*(tf.constant(v) for v in at)), by_hand(*at))


@each
def test_gradients(solve):
    at = draw()
    readout = np.random.default_rng(1).normal(size=at[1].shape)
    tensors = [tf.constant(v) for v in at]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        total = tf.reduce_sum(solve(*tensors) * readout)
    for i, slope in enumerate(tape.gradient(total, tensors)):
        for place in np.ndindex(at[i].shape):
            values = []
            for side in (1e-6, -1e-6):
                moved = [v.copy() for v in at]
                moved[i][place] += side
                values.append(np.sum(by_hand(*moved) * readout))
            assert abs((values[0] - values[1]) / 2e-6 - slope[place]) < 1e-7


def test_a_masked_step_repeats_the_value_before_it():
    d, k, m0 = draw()
    k = np.where(MASK[..., None], k, np.nan)
    recurrence = Recurrence(tf.constant(k), tf.constant(MASK))
    same(recurrence.maximum(tf.constant(d), tf.constant(k), tf.constant(m0)), by_hand(d, k, m0, MASK))
    broadcast = recurrence.maximum(tf.constant(d[0, 0]), tf.constant(k), tf.constant(m0))
    same(broadcast, by_hand(np.broadcast_to(d[0, 0], k.shape), k, m0, MASK))


def test_a_graph_of_any_length():
    spec = tf.TensorSpec((None, None, 4), tf.float64)
    run = tf.function(max_recurrence, input_signature=[spec, spec, tf.TensorSpec((None, 4), tf.float64)])
    for time in (1, 7):
        at = draw(time)
        same(run(*at), by_hand(*at))
