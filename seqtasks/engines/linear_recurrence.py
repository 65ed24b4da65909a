"""Linear recurrence h_t = a_t ⊙ h_{t-1} + b_t, differentiable on every backend.

TensorFlow runs step by step, forward and backward: the gradient is the same recurrence from the last
step to the first. Compiled by XLA on a CPU, together with the computation of a and b, this reads and
writes each number once. An associative scan, which does more arithmetic to be parallel, measured four
times slower there, and Keras's needs a known length on TensorFlow. JAX and PyTorch use an associative
scan of log(time) passes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import keras
from keras import ops

from seqtasks.engines.backend.custom_gradient import custom_gradient
from seqtasks.engines.backend.shape_inference import infers_shapes


def fused(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compiles a function by XLA in a TensorFlow graph on a CPU; else returns it unchanged.

    It is compiled once for each shape, which takes about a second at the first batch of that shape.
    """
    if not compiles():
        return function
    import tensorflow as tf

    return tf.function(function, jit_compile=True, autograph=False)


def compiles() -> bool:
    """Returns whether `fused` compiles functions here."""
    if keras.backend.backend() != "tensorflow" or _has_accelerator():
        return False
    import tensorflow as tf

    return not tf.executing_eagerly()


def linear_recurrence(a: Any, b: Any, h0: Any) -> Any:
    """Computes all states of a linear recurrence.

    Args:
        a: Factors, `(time, batch, size)`.
        b: Summands, `(time, batch, size)`.
        h0: State before the first step, `(batch, size)`.

    Returns:
        States, `(time, batch, size)`.
    """
    return _sequential(a, b, h0) if keras.backend.backend() == "tensorflow" else associative(a, b, h0)


def associative(a: Any, b: Any, h0: Any) -> Any:
    """`linear_recurrence` by an associative scan: steps (a, b) compose to (a₂ a₁, a₂ b₁ + b₂)."""

    def compose(first: tuple[Any, Any], second: tuple[Any, Any]) -> tuple[Any, Any]:
        return second[0] * first[0], second[0] * first[1] + second[1]

    if infers_shapes(b) or a.shape[0] == 1:  # `associative_scan` of Keras 3.12 does not return for a single step
        return ops.cast(a * h0 + b, b.dtype)
    factors, terms = ops.associative_scan(compose, (a, b), axis=0)
    return ops.cast(factors * h0 + terms, b.dtype)


@cache
def _has_accelerator() -> bool:
    """Returns whether TensorFlow sees a GPU or TPU."""
    import tensorflow as tf

    return any(device.device_type in ("GPU", "TPU") for device in tf.config.get_visible_devices())


def _sequential(a: Any, b: Any, h0: Any) -> Any:
    """`linear_recurrence` as a loop of TensorFlow with its own gradient."""

    @custom_gradient
    def solve(a: Any, b: Any, h0: Any) -> Any:
        h = fused(_forward)(a, b, h0)

        def gradient(g: Any) -> tuple[Any, Any, Any]:
            return fused(_backward)(a, h, h0, g)

        return h, gradient

    return solve(a, b, h0)


def _forward(a: Any, b: Any, h0: Any) -> Any:
    """Computes all states of the recurrence in a loop."""

    def step(t: int, h: Any, factors: Any, terms: Any) -> tuple[Any, Any]:
        h = factors.read(t) * h + terms.read(t)
        return h, h

    return loop(step, h0, (a, b), reverse=False)[1]


def _backward(a: Any, h: Any, h0: Any, g: Any) -> tuple[Any, Any, Any]:
    """Computes gradients by the reversed recurrence dh_t = g_t + a_{t+1} dh_{t+1}."""
    import tensorflow as tf

    def step(t: int, carry: Any, factors: Any, gradients: Any) -> tuple[Any, Any]:
        dh = gradients.read(t) + carry
        return factors.read(t) * dh, dh

    dh0, dh = loop(step, tf.zeros_like(h0), (a, g), reverse=True)
    return dh * tf.concat([h0[None], h[:-1]], 0), dh, dh0


def loop(step: Callable[..., Any], carry: Any, xs: tuple[Any, ...], reverse: bool) -> tuple[Any, Any]:
    """Runs `carry, value = step(t, carry, *arrays)`; saves nothing for a gradient.

    Returns:
        The last carry and all values.
    """
    import tensorflow as tf

    time = tf.shape(xs[0])[0]
    arrays = [tf.TensorArray(x.dtype, time, element_shape=x.shape[1:]).unstack(x) for x in xs]

    def body(i: Any, carry: Any, values: Any) -> tuple[Any, Any, Any]:
        t = time - 1 - i if reverse else i
        new, value = step(t, carry, *arrays)
        new.set_shape(carry.shape)
        return i + 1, new, values.write(t, value)

    values = tf.TensorArray(carry.dtype, time, element_shape=carry.shape)
    _, carry, values = tf.while_loop(lambda i, *_: i < time, body, (tf.constant(0), carry, values))
    return carry, values.stack()
