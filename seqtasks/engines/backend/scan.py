"""Differentiable loop over the first axis with carried values, on every backend.

`keras.ops.scan` requires outputs shaped like the carry on TensorFlow, and `keras.ops.while_loop` has
no gradient on JAX; hence one short loop for each backend.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import keras

STEPS_PER_ITERATION = 4
_portable: ContextVar[bool] = ContextVar("portable_loops", default=False)
Body = Callable[[tuple[Any, ...], tuple[Any, ...]], tuple[tuple[Any, ...], Any]]


def scan(
    body: Body, carry: tuple[Any, ...], xs: Sequence[Any], reverse: bool, width: int | None
) -> tuple[tuple[Any, ...], Any]:
    """Runs `carry, y = body(carry, x)` over time.

    Args:
        body: One step; y is `(batch, width)`, or ignored if `width` is None.
        carry: Tensors `(batch, …)` whose shapes stay the same.
        xs: Tensors `(time, batch, …)`.
        reverse: Whether to run from the last step to the first.
        width: Width of the outputs; None: outputs are not kept.

    Returns:
        The last carry, and the outputs, `(time, batch, width)`, in the order of `xs`, or None.
    """
    return _SCANS[keras.backend.backend()](body, carry, tuple(xs), reverse, width)


@contextmanager
def portable_loops() -> Iterator[None]:
    """Context in which loops of TensorFlow have the form that converters of graphs translate correctly.

    One step an iteration, from the first step on. tf2onnx takes the n-th read of an array for its n-th row, also in a
    loop that runs backwards, and then gives wrong outputs without an error.
    """
    token = _portable.set(True)
    try:
        yield
    finally:
        _portable.reset(token)


def _tensorflow(
    body: Body, carry: tuple[Any, ...], xs: tuple[Any, ...], reverse: bool, width: int | None
) -> tuple[tuple[Any, ...], Any]:
    """`scan` on TensorFlow, with several steps per iteration in a graph with known length."""
    import tensorflow as tf

    time = xs[0].shape[0]
    if time == 1 and _portable.get():
        carry, y = body(carry, tuple(x[0] for x in xs))
        return carry, None if width is None else y[None]
    if _portable.get():
        return _forward_loop(body, carry, xs, reverse, width)
    if time is None or tf.executing_eagerly():
        return _while_loop(body, carry, xs, reverse, width)
    # If the length is known, an iteration of the loop takes several steps: the overhead of an iteration is as large as
    # that of several matrix products, and larger in the backward pass.
    iterations = time // STEPS_PER_ITERATION
    main = iterations * STEPS_PER_ITERATION
    tail, outputs = [], []

    def iteration(carry: tuple[Any, ...], chunks: tuple[Any, ...]) -> tuple[tuple[Any, ...], Any]:
        steps = [tf.unstack(chunk, STEPS_PER_ITERATION) for chunk in chunks]
        ys: list[Any] = [None] * STEPS_PER_ITERATION
        for i in reversed(range(STEPS_PER_ITERATION)) if reverse else range(STEPS_PER_ITERATION):
            carry, ys[i] = body(carry, tuple(step[i] for step in steps))
        return carry, None if width is None else tf.stack(ys)

    def remaining_steps(carry: tuple[Any, ...]) -> tuple[Any, ...]:
        for i in reversed(range(main, time)) if reverse else range(main, time):
            carry, y = body(carry, tuple(x[i] for x in xs))
            tail.append(y)
        return carry

    if reverse:
        carry = remaining_steps(carry)
    if iterations:
        batch = tf.shape(xs[0])[1]
        chunks = tuple(tf.reshape(x[:main], (iterations, STEPS_PER_ITERATION, batch, *x.shape[2:])) for x in xs)
        carry, ys = _while_loop(iteration, carry, chunks, reverse, width)
        if width is not None:
            outputs.append(tf.reshape(ys, (main, batch, width)))
    if not reverse:
        carry = remaining_steps(carry)
    if width is None:
        return carry, None
    outputs += [tf.stack(tail[::-1] if reverse else tail)] if tail else []
    return carry, tf.concat(outputs, 0)


def _forward_loop(
    body: Body, carry: tuple[Any, ...], xs: tuple[Any, ...], reverse: bool, width: int | None
) -> tuple[tuple[Any, ...], Any]:
    """`scan` on TensorFlow by a loop that always runs forwards, over flipped inputs if `reverse` is true."""
    import tensorflow as tf

    flipped = tuple(tf.reverse(x, [0]) for x in xs) if reverse else xs
    carry, ys = _while_loop(body, carry, flipped, False, width)
    return carry, tf.reverse(ys, [0]) if reverse and width is not None else ys


def _while_loop(
    body: Body, carry: tuple[Any, ...], xs: tuple[Any, ...], reverse: bool, width: int | None
) -> tuple[tuple[Any, ...], Any]:
    """`scan` on TensorFlow with one step per iteration."""
    import tensorflow as tf

    static = xs[0].shape[0]
    time = tf.shape(xs[0])[0] if static is None else static
    inputs = [tf.TensorArray(x.dtype, size=time, element_shape=x.shape[1:]).unstack(x) for x in xs]
    outputs: tuple[Any, ...] = ()
    if width is not None:
        outputs = (tf.TensorArray(carry[0].dtype, size=time, element_shape=(*xs[0].shape[1:-1], width)),)

    def loop(t: Any, outputs: tuple[Any, ...], carry: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...], tuple[Any, ...]]:
        i = time - 1 - t if reverse else t
        new, y = body(carry, tuple(array.read(i) for array in inputs))
        for before, after in zip(carry, new, strict=True):
            after.set_shape(before.shape)
        return t + 1, tuple(array.write(i, y) for array in outputs), new

    most = static if _portable.get() else time  # XLA differentiates no loop without it, even of unknown length
    _, outputs, carry = tf.while_loop(
        lambda t, *_: t < time, loop, (tf.constant(0), outputs, carry), maximum_iterations=most
    )
    return carry, outputs[0].stack() if outputs else None


def _jax(
    body: Body, carry: tuple[Any, ...], xs: tuple[Any, ...], reverse: bool, width: int | None
) -> tuple[tuple[Any, ...], Any]:
    import jax

    def step(carry: tuple[Any, ...], x: tuple[Any, ...]) -> tuple[tuple[Any, ...], Any]:
        carry, y = body(carry, x)
        return carry, None if width is None else y

    return jax.lax.scan(step, carry, xs, reverse=reverse)


def _torch(
    body: Body, carry: tuple[Any, ...], xs: tuple[Any, ...], reverse: bool, width: int | None
) -> tuple[tuple[Any, ...], Any]:
    import torch

    steps = range(xs[0].shape[0])
    outputs = []
    for i in reversed(steps) if reverse else steps:
        carry, y = body(carry, tuple(x[i] for x in xs))
        outputs.append(y)
    if width is None:
        return carry, None
    if not outputs:
        return carry, torch.zeros((0, xs[0].shape[1], width), dtype=carry[0].dtype, device=carry[0].device)
    return carry, torch.stack(outputs[::-1] if reverse else outputs)


_SCANS = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}
