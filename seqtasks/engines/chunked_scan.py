"""Scan of a long sequence in chunks compiled by XLA, whose gradients recompute each chunk.

On a CPU the intermediate values of a long sequence do not fit into the cache, and memory access costs
more than the arithmetic; those of one chunk do fit. The forward pass saves the states at the chunk
borders, from which the backward pass computes each chunk again. TensorFlow only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
from keras import ops
from keras.src.backend import AutocastScope

from seqtasks.engines.backend.custom_gradient import custom_gradient
from seqtasks.engines.backend.masking import last_valid_step
from seqtasks.engines.linear_recurrence import fused

Scan = Callable[..., tuple[Any, list[Any]]]


def run(
    scan: Scan, weights: Sequence[Any], xs: Any, valid: Any, states: Sequence[Any], width: int, sequences: bool
) -> tuple[Any, list[Any]]:
    """Runs a scan over chunks of time.

    Args:
        scan: Function `outputs, final_states = scan(xs, valid, *states)` for any number of steps, with
            outputs `(time, batch, width)`.
        weights: Variables that `scan` reads.
        xs: Inputs, `(time, batch, features)`.
        valid: Mask, bool `(time, batch)`; None: all steps are valid.
        states: States before the first step, each `(batch, …)`.
        width: Width of the outputs.
        sequences: Whether to return outputs of all steps, not only of the last valid one.

    Returns:
        Outputs, `(time, batch, width)` or `(batch, width)`, and the final states.
    """
    import tensorflow as tf

    time, steps = xs.shape[0], chunk_length(xs.shape[0])
    length = tf.shape(xs)[0]
    if time is None or time % steps:
        xs, valid = _fill(xs, valid, steps)

    def chunk(xs: Any, valid: Any, last: Any, *states: Any) -> list[Any]:
        outputs, final = scan(xs, valid, *states)
        if sequences:
            return [outputs, *final]
        ends = last_valid_step(ops.swapaxes(outputs, 0, 1), None if valid is None else ops.swapaxes(valid, 0, 1))
        return [ends if valid is None else ops.where(ops.any(valid, axis=0)[:, None], ends, last), *final]

    def forward(xs: Any, valid: Any, start: Sequence[Any], values: Sequence[Any]) -> tuple[Any, Any, Any]:
        chunks = _arrays(steps, xs, valid)
        count = chunks[0].size()
        borders = [tf.TensorArray(v.dtype, count, element_shape=v.shape) for v in start]
        outputs = tf.TensorArray(xs.dtype, count, element_shape=(steps, xs.shape[1], width))

        def body(i: Any, carry: Any, borders: Any, outputs: Any) -> tuple[Any, ...]:
            borders = [array.write(i, v) for array, v in zip(borders, carry, strict=True)]
            with _reading(weights, values, xs.dtype.name):
                out, *states = chunk(*_read(chunks, i), *carry)
            if sequences:
                outputs, out = outputs.write(i, out), carry[0]
            return i + 1, _shaped([out, *states], carry), borders, outputs

        initial = (tf.constant(0), list(start), borders, outputs)
        _, carry, borders, outputs = tf.while_loop(lambda i, *_: i < count, body, initial)
        out = tf.reshape(outputs.stack(), (-1, tf.shape(xs)[1], width)) if sequences else carry[0]
        return out, carry[1:], [array.stack() for array in borders]

    def backward(xs: Any, valid: Any, borders: Any, values: Sequence[Any], d_out: Any, d_final: Any) -> tuple[Any, ...]:
        chunks = _arrays(steps, xs, valid)
        count = chunks[0].size()
        starts = [tf.TensorArray(v.dtype, count, element_shape=v.shape[1:]).unstack(v) for v in borders]
        d_outputs = _arrays(steps, d_out)[0] if sequences else None
        d_xs = tf.TensorArray(xs.dtype, count, element_shape=(steps, *xs.shape[1:]))

        def body(j: Any, d_carry: Any, d_values: Any, d_xs: Any) -> tuple[Any, ...]:
            i = count - 1 - j
            x, v = _read(chunks, i)
            sources = [x, *(array.read(i) for array in starts), *values]
            with tf.GradientTape(watch_accessed_variables=False) as tape, _reading(weights, values, xs.dtype.name):
                tape.watch(sources)
                results = chunk(x, v, *sources[1 : len(starts) + 1])
            d_results = d_carry if d_outputs is None else [d_outputs.read(i), *d_carry[1:]]
            d_x, *d = tape.gradient(results, sources, d_results, unconnected_gradients="zero")
            d_values = [total + d_value for total, d_value in zip(d_values, d[len(starts) :], strict=True)]
            return j + 1, _shaped(d[: len(starts)], d_carry), d_values, d_xs.write(i, d_x)

        first = tf.zeros_like(borders[0][0]) if sequences else d_out
        initial = (tf.constant(0), [first, *d_final], [tf.zeros_like(v) for v in values], d_xs)
        _, d_carry, d_values, d_xs = tf.while_loop(lambda j, *_: j < count, body, initial)
        return tf.reshape(d_xs.stack(), tf.shape(xs)), d_carry[1:], d_values

    @custom_gradient
    def solve(xs: Any, states: Any, values: Any) -> tuple[Any, Any]:
        last = tf.zeros((tf.shape(xs)[1], width), xs.dtype)
        out, final, borders = fused(forward)(xs, valid, [last, *states], values)

        def gradient(d_out: Any, *d_final: Any) -> tuple[Any, ...]:
            return fused(backward)(xs, valid, borders, values, d_out, list(d_final))

        return (out, *final), gradient

    with AutocastScope(None):  # to sum the gradients of the chunks in full precision
        values = [ops.convert_to_tensor(weight.value) for weight in weights]
    out, *final = solve(xs, list(states), values)
    return (out[:length] if sequences else out), final


def chunk_length(time: int | None) -> int:
    """Returns the number of steps of a chunk: if possible a divisor of the sequence length."""
    return next((steps for steps in range(32, 7, -1) if time is not None and time % steps == 0), 16)


def _fill(xs: Any, valid: Any, steps: int) -> tuple[Any, Any]:
    """Appends masked steps up to a whole number of chunks.

    There is at least one chunk, because XLA cannot read empty arrays.
    """
    import tensorflow as tf

    time, batch = tf.unstack(tf.shape(xs)[:2])
    valid = tf.ones((time, batch), tf.bool) if valid is None else valid
    padding = tf.maximum(-(-time // steps), 1) * steps - time
    return tf.pad(xs, [[0, padding], [0, 0], [0, 0]]), tf.pad(valid, [[0, padding], [0, 0]])


def _arrays(steps: int, *tensors: Any) -> list[Any]:
    """Splits tensors `(time, …)` into TensorArrays of chunks; None stays None."""
    import tensorflow as tf

    chunks = [None if v is None else tf.reshape(v, (-1, steps, tf.shape(v)[1], *v.shape[2:])) for v in tensors]
    return [
        None if v is None else tf.TensorArray(v.dtype, tf.shape(v)[0], element_shape=v.shape[1:]).unstack(v)
        for v in chunks
    ]


def _read(arrays: Sequence[Any], i: Any) -> list[Any]:
    """Reads element `i` of each array; None stays None."""
    return [None if array is None else array.read(i) for array in arrays]


def _shaped(tensors: Sequence[Any], like: Sequence[Any]) -> list[Any]:
    """Sets the static shapes of tensors to those of others."""
    for tensor, other in zip(tensors, like, strict=True):
        tensor.set_shape(other.shape)
    return list(tensors)


@contextmanager
def _reading(weights: Sequence[Any], values: Sequence[Any], dtype: str) -> Iterator[None]:
    """Context in which the variables have the given values, which a tape can watch."""
    # When the gradient is built, the autocast scope of the layer's call (mixed precision) has ended; Keras has no
    # public name for this scope.
    with keras.StatelessScope(state_mapping=list(zip(weights, values, strict=True))), AutocastScope(dtype):
        yield
