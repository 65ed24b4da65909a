"""The loop in C as operations of TensorFlow: against PyTorch in float64, and what they refuse."""

import multiprocessing
import os
import threading

import keras
import numpy as np
import pytest

from seqtasks.engines import native
from seqtasks.engines.native import library, numpy_bridge
from seqtasks.engines.native.arguments import Direction
from tests.engines.native_oracle import gradients
from tests.engines.native_shapes import at_once, drawn

pytestmark = [
    pytest.mark.skipif(library.library() is None, reason="the loop in C was not built"),
    pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="bound to TensorFlow"),
]
NAMES = ("w", "bias", "u", "b", "h0", "c0")


def run_and_back(loops, reference, compiled):
    """Results and gradients of loops over the same inputs, by the names of the oracle."""
    import tensorflow as tf

    from seqtasks.engines.native.tensorflow_bridge import loop

    one, dout, dh, dc = (
        loops[0],
        *(tf.constant(np.stack([getattr(w, n) for w in reference])) for n in reference[0]._fields),
    )
    given = [{n: tf.constant(getattr(o, n)) for n in NAMES if getattr(o, n) is not None} for o in loops]
    x = tf.constant(one.x)

    def run():
        with tf.GradientTape() as tape:
            tape.watch([x, given])
            directions = [
                Direction(
                    o.kind, o.reverse, g["w"], g["bias"], g["u"], g.get("b"), [g[n] for n in ("h0", "c0") if n in g]
                )
                for o, g in zip(loops, given, strict=True)
            ]
            results = loop(directions, x, one.mask, True, one.tokens)
            loss = 0.0
            for i, (out, h_last, c_last) in enumerate(results):
                loss += tf.reduce_sum(out * dout[i]) + tf.reduce_sum(h_last * dh[i])
                loss += tf.reduce_sum(c_last * dc[i]) if "c0" in given[i] else 0.0
        return results, tape.gradient(loss, [x, given])

    results, (dx, slopes) = (tf.function(run) if compiled else run)()
    actual = []
    for own, (out, h_last, c_last) in zip(slopes, results, strict=True):
        one = {"out": out, "h_last": h_last} | {f"d{name}": array for name, array in own.items()}
        actual.append(
            {n: tf.convert_to_tensor(a) for n, a in (one | ({"c_last": c_last} if "c0" in own else {})).items()}
        )
    return actual, tf.convert_to_tensor(dx)


@pytest.mark.a_third
@pytest.mark.parametrize("kind", native.KINDS.values(), ids=native.KINDS)
@pytest.mark.parametrize("compiled", [False, True])
def test_random_shapes_equal_pytorch(kind, compiled, monkeypatch):
    pytest.importorskip("torch")
    rng = np.random.default_rng(kind)
    for trial in range(4):
        monkeypatch.setattr(library, "threads", lambda count=1 + trial % 3: count)
        pairs = [drawn(rng, kind)]
        if trial % 2:  # the same in the other direction at once
            loop = pairs[0][0]
            pairs.append((type(loop)(**{**vars(loop), "reverse": not loop.reverse, "u": loop.u * 0.5}), pairs[0][1]))
        expected = [gradients(*pair) for pair in pairs]
        actual, dx = run_and_back(*zip(*pairs, strict=True), compiled)
        for own, right in zip(actual, expected, strict=True):
            for what, value in own.items():
                scale = max(np.abs(right[what]).max(initial=0), 1e-2)
                np.testing.assert_allclose(value, right[what], rtol=0, atol=1e-5 * scale, err_msg=what)
        right = sum(own["dx"] for own in expected)
        np.testing.assert_allclose(dx, right, rtol=0, atol=1e-5 * max(np.abs(right).max(initial=0), 1e-2))


def arguments(**changes):
    """Those of a forward pass: an LSTM of 4 units over 2 rows of 3 steps of 5 numbers."""
    actual = {"about": np.array([library.LSTM, 0, 1, 6], np.int32), "x": np.zeros((2, 3, 5), "f4")}
    actual |= {"tokens": np.zeros(0, "i4"), "w": np.zeros((5, 16), "f4"), "bias": np.zeros(16, "f4")}
    actual |= {"u": np.zeros((4, 16), "f4"), "b": np.zeros(0, "f4"), "h0": np.zeros((2, 4), "f4")}
    actual |= {"c0": np.zeros((2, 4), "f4"), "mask": np.ones((2, 3), bool)}
    return list((actual | changes).values())


TOKENS = {"about": np.array([0, 0, 1, 7], np.int32), "x": np.zeros((9, 5), "f4")}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"u": np.zeros((4, 16))}, r"u is \(4, 16\) of another dtype; allowed: \(4, 16\)"),
        ({"x": np.zeros((2, 3, 4), "f4")}, r"w is \(5, 16\); allowed: \(4, 16\)"),
        ({"x": np.zeros((2, 3, 4, 1), "f4")}, "more than three axes"),
        ({"x": np.zeros((2, 5), "f4")}, "not those of a loop"),
        ({"bias": np.zeros(4, "f4")}, r"bias is \(4\); allowed: \(16\)"),
        ({"c0": np.zeros(0, "f4")}, r"c0 is \(0\); allowed: \(2, 4\)"),
        ({"h0": np.zeros((3, 4), "f4")}, r"h0 is \(3, 4\); allowed: \(2, 4\)"),
        ({"mask": np.ones((2, 3), "f4")}, r"mask is \(2, 3\) of another dtype"),
        ({"mask": np.ones((3, 2), bool)}, r"mask is \(3, 2\); allowed: \(2, 3\)"),
        ({"about": np.array([6, 0, 1, 6], np.int32)}, "not those of a loop"),
        ({"about": np.zeros(3, np.int32)}, "the header of a loop has another type or shape"),
        ({**TOKENS, "tokens": np.zeros((2, 3))}, r"tokens is \(2, 3\) of another dtype"),
        ({**TOKENS, "tokens": np.full((2, 3), 9, "i4")}, "tokens are outside of the table"),
        ({**TOKENS, "tokens": np.full((2, 3), -1, "i4")}, "tokens are outside of the table"),
    ],
)
def test_wrong_arrays_are_refused(changes, message):
    import tensorflow as tf

    forward, types = library.operations().seqtasks_forward, [tf.float32] * 6
    assert forward(arguments(), R=types)[0].shape == (2, 3, 4)
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        forward(arguments(**changes), R=types)


def test_other_numbers_of_arrays_are_refused():
    import tensorflow as tf

    forward = library.operations().seqtasks_forward
    for loops, outputs in ((3, 18), (1, 5)):
        with pytest.raises(tf.errors.InvalidArgumentError, match="not that of one loop or two"):
            forward(arguments() * loops, R=[tf.float32] * outputs)
    with pytest.raises(tf.errors.InvalidArgumentError, match="not that of one loop or two"):
        forward(arguments()[:-1], R=[tf.float32] * 6)
    with pytest.raises(tf.errors.InvalidArgumentError, match="results have other types"):
        forward(arguments(), R=[tf.int32] * 6)


@pytest.mark.parametrize(("rows", "steps"), [(0, 3), (2, 0)])
def test_no_rows_and_no_steps_are_right(rows, steps):
    state = np.ones((rows, 4), "f4")
    weights = {"w": np.ones((5, 16), "f4"), "bias": np.ones(16, "f4"), "u": np.ones((4, 16), "f4"), "b": None}
    one = numpy_bridge.Loop(
        library.LSTM, False, np.ones((rows, steps, 5), "f4"), **weights, h0=state, c0=state, mask=None
    )
    (actual,), dx = run_and_back([one], [numpy_bridge.Results(np.ones((rows, steps, 4), "f4"), state, state)], True)
    np.testing.assert_array_equal(actual["h_last"], 1)
    np.testing.assert_array_equal(actual["dh0"], 1)
    assert not np.any(actual["dw"]) and not np.any(actual["du"]) and dx.shape == (rows, steps, 5)


def forward():
    state = np.ones((40, 64), "f4")
    weights = np.ones((5, 256), "f4"), np.ones(256, "f4"), np.full((64, 256), 0.01, "f4")
    loop = numpy_bridge.Loop(library.LSTM, False, np.ones((40, 9, 5), "f4"), *weights, None, state, state, None)
    return numpy_bridge.forward(loop)[0].out


def answer(pipe):
    pipe.send(forward())


def test_calls_of_several_threads_are_right():
    reference = forward()
    actual = [out for own in at_once(lambda: [forward() for _ in range(20)]) for out in own]
    assert len(actual) == 80
    for out in actual:
        np.testing.assert_array_equal(out, reference)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_in_the_middle_of_a_call_can_go_on():
    reference, going = forward(), True

    def call():
        while going:
            forward()

    beside = threading.Thread(target=call)
    beside.start()
    try:
        for _ in range(40):
            mine, theirs = multiprocessing.Pipe()
            child = multiprocessing.get_context("fork").Process(target=answer, args=(theirs,))
            child.start()
            answered = mine.poll(20)
            if not answered:
                child.kill()
            assert answered, "a fork waits for threads that it has not got"
            np.testing.assert_array_equal(mine.recv(), reference)
            child.join()
    finally:
        going = False
        beside.join()
