"""h_t = a_t ⊙ h_{t-1} + b_t: the sequential way and the scan, against a loop in NumPy and its differences."""

import numpy as np
import pytest
import tensorflow as tf

from seqtasks.engines.linear_recurrence import associative, fused, linear_recurrence

each = [linear_recurrence, associative]
# The scan is for JAX and PyTorch: that of Keras before 3.13 cannot be traced into a graph of TensorFlow.
ways = pytest.mark.parametrize(("solve", "graph"), [(solve, False) for solve in each] + [(linear_recurrence, True)])


def draw(time=7, batch=3, size=4, seed=0, dtype="float64"):
    """Factors of either sign, some of them zero or one, as those of gates and of masked steps are."""
    rng = np.random.default_rng(seed)
    a = rng.uniform(-1, 1, size=(time, batch, size))
    a[rng.random(a.shape) < 0.2] = 0
    a[rng.random(a.shape) < 0.2] = 1
    return [v.astype(dtype) for v in (a, rng.normal(size=a.shape), rng.normal(size=a.shape[1:]))]


def by_hand(a, b, h0):
    states, h = [], h0
    for factor, term in zip(a, b, strict=True):
        h = factor * h + term
        states.append(h)
    return np.stack(states)


def differences(readout, *at):
    """Of the sum of readout · h in each number; it is linear in each, so there is no error but rounding."""
    actual = []
    for i, array in enumerate(at):
        slope = np.zeros_like(array)
        for place in np.ndindex(array.shape):
            values = []
            for side in (0.5, -0.5):
                moved = array.copy()
                moved[place] += side
                values.append(np.sum(by_hand(*at[:i], moved, *at[i + 1 :]) * readout))
            slope[place] = values[0] - values[1]
        actual.append(slope)
    return actual


def gradients(solve, readout, *at):
    tensors = [tf.convert_to_tensor(array) for array in at]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        total = tf.reduce_sum(solve(*tensors) * readout)
    return tape.gradient(total, tensors)


def same(computed, expected, tolerance=1e-12):
    np.testing.assert_allclose(computed, expected, rtol=0, atol=tolerance * (1 + np.abs(expected).max()))


@ways
@pytest.mark.parametrize("time", [1, 2, 7, 64])
def test_all_states(solve, time, graph):
    at = draw(time)
    same((tf.function(solve) if graph else solve)(*at), by_hand(*at))


@ways
@pytest.mark.parametrize("time", [1, 2, 7])
def test_gradients(solve, time, graph):
    at = draw(time, batch=2, size=3)
    readout = np.random.default_rng(1).normal(size=at[0].shape)
    run = tf.function(gradients) if graph else gradients
    for actual, expected in zip(run(solve, readout, *at), differences(readout, *at), strict=True):
        same(actual, expected, 1e-11)


@pytest.mark.parametrize("solve", each)
def test_one_step_is_one_step(solve):
    a, b, h0 = draw(1)
    same(solve(a, b, h0), a * h0 + b)
    of_a, of_b, of_h0 = gradients(solve, 1.0, a, b, h0)
    same(of_a[0], h0)
    same(of_b, np.ones_like(b))
    same(of_h0, a[0])


def test_one_graph_for_every_length_and_batch():
    wide, flat = tf.TensorSpec((None, None, 4), tf.float64), tf.TensorSpec((None, 4), tf.float64)
    traces = []

    @tf.function(input_signature=[wide, wide, wide, flat])
    def run(readout, a, b, h0):
        traces.append(1)
        h = linear_recurrence(a, b, h0)
        return h, tf.gradients(tf.reduce_sum(h * readout), [a, b, h0])

    for time, batch in ((5, 2), (1, 3), (9, 1)):
        at = draw(time, batch, seed=time)
        readout = np.random.default_rng(time).normal(size=at[0].shape)
        h, actual = run(readout, *at)
        same(h, by_hand(*at))
        for one, expected in zip(actual, differences(readout, *at), strict=True):
            same(one, expected, 1e-11)
    assert len(traces) == 1


def test_the_shape_is_known_in_a_graph():
    wide, flat = tf.TensorSpec((None, None, 4), tf.float64), tf.TensorSpec((None, 4), tf.float64)
    assert tf.function(linear_recurrence).get_concrete_function(wide, wide, flat).output_shapes[-1] == 4


def test_it_can_be_compiled_with_all_around_it():
    at = draw(5)
    readout = np.random.default_rng(1).normal(size=at[0].shape)
    compiled = tf.function(gradients, jit_compile=True)(linear_recurrence, readout, *at)
    for actual, expected in zip(compiled, differences(readout, *at), strict=True):
        same(actual, expected, 1e-11)


@pytest.mark.parametrize("solve", each)
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float16", 1e-2)])
def test_the_dtype_stays(solve, dtype, tolerance):
    at = draw(dtype=dtype)
    h = solve(*(tf.constant(array) for array in at))
    assert h.dtype == dtype
    same(h.numpy().astype("float64"), by_hand(*(array.astype("float64") for array in at)), tolerance)
    assert {g.dtype for g in gradients(solve, np.ones((7, 3, 4), dtype), *at)} == {tf.as_dtype(dtype)}


@pytest.mark.parametrize("solve", each)
def test_a_long_memory_is_kept(solve):
    a, b, h0 = draw(400, batch=1, size=2)
    a = np.full_like(a, 0.999)
    same(solve(a, b, h0), by_hand(a, b, h0))
    _, _, of_h0 = gradients(solve, np.eye(400)[-1][:, None, None], a, b, h0)
    same(of_h0, np.full((1, 2), 0.999**400), 1e-11)


def test_only_a_graph_on_a_cpu_is_compiled(monkeypatch):
    def double(x):
        return 2 * x

    inside = []
    tf.function(lambda: inside.append(fused(double)))()
    assert fused(double) is double
    assert inside[0] is not double and inside[0].python_function is double
    monkeypatch.setattr("seqtasks.engines.linear_recurrence._has_accelerator", lambda: True)
    tf.function(lambda: inside.append(fused(double)))()
    assert inside[1] is double
