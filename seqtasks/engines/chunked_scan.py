"""Scan of a long sequence in chunks compiled by XLA; gradients recompute each chunk.

On a CPU the values between input and output of a long sequence fill memory whose pages cost
more than the arithmetic; those of one chunk stay in the cache. The forward pass keeps the
states at the borders of the chunks, and the backward pass starts from them. TensorFlow only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
from keras import ops
from keras.src.backend import AutocastScope

from seqtasks.engines.backend.masking import last_valid_step
from seqtasks.engines.linear_recurrence import fused

Scan = Callable[..., tuple[Any, list[Any]]]


def run(
    scan: Scan, weights: Sequence[Any], xs: Any, real: Any, states: Sequence[Any], width: int, sequences: bool
) -> tuple[Any, list[Any]]:
    """Runs a scan over chunks of time.

    Args:
        scan: `outputs, final_states = scan(xs, real, *states)` for any number of steps,
            outputs (time, batch, width).
        weights: the variables that it reads.
        xs: (time, batch, features).
        real: (time, batch) of bool; None: all steps are real.
        states: (batch, …) each.
        width: of the outputs.
        sequences: all outputs are wanted, else the last real one.

    Returns:
        The outputs (time, batch, width) or (batch, width), and the final states.
    """
    import tensorflow as tf

    time, steps = xs.shape[0], chunk_length(xs.shape[0])
    length = tf.shape(xs)[0]
    if time is None or time % steps:
        xs, real = _fill(xs, real, steps)

    def chunk(xs: Any, real: Any, last: Any, *states: Any) -> list[Any]:
        outputs, final = scan(xs, real, *states)
        if sequences:
            return [outputs, *final]
        ends = last_valid_step(ops.swapaxes(outputs, 0, 1), None if real is None else ops.swapaxes(real, 0, 1))
        return [ends if real is None else ops.where(ops.any(real, axis=0)[:, None], ends, last), *final]

    def forward(xs: Any, real: Any, start: Sequence[Any], values: Sequence[Any]) -> tuple[Any, Any, Any]:
        taken = _arrays(steps, xs, real)
        turns = taken[0].size()
        kept = [tf.TensorArray(v.dtype, turns, element_shape=v.shape) for v in start]
        outputs = tf.TensorArray(xs.dtype, turns, element_shape=(steps, xs.shape[1], width))

        def turn(i: Any, carry: Any, kept: Any, outputs: Any) -> tuple[Any, ...]:
            kept = [array.write(i, v) for array, v in zip(kept, carry, strict=True)]
            with _reading(weights, values, xs.dtype.name):
                out, *states = chunk(*_read(taken, i), *carry)
            if sequences:
                outputs, out = outputs.write(i, out), carry[0]
            return i + 1, _shaped([out, *states], carry), kept, outputs

        at = (tf.constant(0), list(start), kept, outputs)
        _, carry, kept, outputs = tf.while_loop(lambda i, *_: i < turns, turn, at)
        out = tf.reshape(outputs.stack(), (-1, tf.shape(xs)[1], width)) if sequences else carry[0]
        return out, carry[1:], [array.stack() for array in kept]

    def backward(xs: Any, real: Any, borders: Any, values: Sequence[Any], d_out: Any, d_final: Any) -> tuple[Any, ...]:
        taken = _arrays(steps, xs, real)
        turns = taken[0].size()
        starts = [tf.TensorArray(v.dtype, turns, element_shape=v.shape[1:]).unstack(v) for v in borders]
        d_outputs = _arrays(steps, d_out)[0] if sequences else None
        d_xs = tf.TensorArray(xs.dtype, turns, element_shape=(steps, *xs.shape[1:]))

        def turn(j: Any, d_carry: Any, d_values: Any, d_xs: Any) -> tuple[Any, ...]:
            i = turns - 1 - j
            x, r = _read(taken, i)
            at = [x, *(array.read(i) for array in starts), *values]
            with tf.GradientTape(watch_accessed_variables=False) as tape, _reading(weights, values, xs.dtype.name):
                tape.watch(at)
                results = chunk(x, r, *at[1 : len(starts) + 1])
            d_results = d_carry if d_outputs is None else [d_outputs.read(i), *d_carry[1:]]
            d_x, *d = tape.gradient(results, at, d_results, unconnected_gradients="zero")
            d_values = [total + one for total, one in zip(d_values, d[len(starts) :], strict=True)]
            return j + 1, _shaped(d[: len(starts)], d_carry), d_values, d_xs.write(i, d_x)

        first = tf.zeros_like(borders[0][0]) if sequences else d_out
        at = (tf.constant(0), [first, *d_final], [tf.zeros_like(v) for v in values], d_xs)
        _, d_carry, d_values, d_xs = tf.while_loop(lambda j, *_: j < turns, turn, at)
        return tf.reshape(d_xs.stack(), tf.shape(xs)), d_carry[1:], d_values

    @tf.custom_gradient
    def solve(xs: Any, states: Any, values: Any) -> tuple[Any, Any]:
        last = tf.zeros((tf.shape(xs)[1], width), xs.dtype)
        out, final, borders = fused(forward)(xs, real, [last, *states], values)

        def gradient(d_out: Any, *d_final: Any) -> tuple[Any, ...]:
            return fused(backward)(xs, real, borders, values, d_out, list(d_final))

        return (out, *final), gradient

    with AutocastScope(None):  # gradients of many chunks are summed in full precision
        values = [ops.convert_to_tensor(weight.value) for weight in weights]
    out, *final = solve(xs, list(states), values)
    return (out[:length] if sequences else out), final


def chunk_length(time: int | None) -> int:
    """The steps of a chunk: where possible a divisor of the length."""
    return next((steps for steps in range(32, 7, -1) if time is not None and time % steps == 0), 16)


def _fill(xs: Any, real: Any, steps: int) -> tuple[Any, Any]:
    """Masked steps at the end, up to a whole number of chunks, and one at least: XLA reads no empty arrays."""
    import tensorflow as tf

    time, batch = tf.unstack(tf.shape(xs)[:2])
    real = tf.ones((time, batch), tf.bool) if real is None else real
    padding = tf.maximum(-(-time // steps), 1) * steps - time
    return tf.pad(xs, [[0, padding], [0, 0], [0, 0]]), tf.pad(real, [[0, padding], [0, 0]])


def _arrays(steps: int, *tensors: Any) -> list[Any]:
    """Arrays of the chunks of tensors (time, …); None stays."""
    import tensorflow as tf

    chunks = [None if v is None else tf.reshape(v, (-1, steps, tf.shape(v)[1], *v.shape[2:])) for v in tensors]
    return [
        None if v is None else tf.TensorArray(v.dtype, tf.shape(v)[0], element_shape=v.shape[1:]).unstack(v)
        for v in chunks
    ]


def _read(arrays: Sequence[Any], i: Any) -> list[Any]:
    return [None if array is None else array.read(i) for array in arrays]


def _shaped(tensors: Sequence[Any], like: Sequence[Any]) -> list[Any]:
    for tensor, other in zip(tensors, like, strict=True):
        tensor.set_shape(other.shape)
    return list(tensors)


@contextmanager
def _reading(weights: Sequence[Any], values: Sequence[Any], dtype: str) -> Iterator[None]:
    """Under it the variables have the given values, which a gradient can be taken of."""
    # The scope of the layer's call, which casts what is read under mixed precision, is over when the gradient is built,
    # and Keras has no public name for it.
    with keras.StatelessScope(state_mapping=list(zip(weights, values, strict=True))), AutocastScope(dtype):
        yield
