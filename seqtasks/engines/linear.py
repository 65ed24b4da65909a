"""h_t = a_t ⊙ h_{t-1} + b_t for all t, differentiable on every backend.

On a CPU, TensorFlow runs one fused step after the other, forward and (the gradient is the
same recurrence, from the last step to the first) backward: no intermediate values are
kept, and the associative scan, which does more arithmetic to be parallel, measured four
times slower. Elsewhere the associative scan of Keras runs in log(time) passes.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import keras
from keras import ops


def linear_recurrence(a: Any, b: Any, h0: Any) -> Any:
    """All states of a linear recurrence.

    Args:
        a: factors, (batch, time, size).
        b: terms, (batch, time, size).
        h0: the state before the first step, (batch, size).

    Returns:
        (batch, time, size).
    """
    if keras.backend.backend() == "tensorflow" and not _has_accelerator():
        return _sequential(a, b, h0)
    return associative(a, b, h0)


def associative(a: Any, b: Any, h0: Any) -> Any:
    """The same by an associative scan: steps (a, b) compose to (a₂ a₁, a₂ b₁ + b₂)."""

    def after(one: tuple[Any, Any], two: tuple[Any, Any]) -> tuple[Any, Any]:
        return two[0] * one[0], two[0] * one[1] + two[1]

    factors, terms = ops.associative_scan(after, (a, b), axis=1)
    return ops.cast(factors * ops.expand_dims(h0, 1) + terms, b.dtype)


@cache
def _has_accelerator() -> bool:
    import tensorflow as tf

    return any(device.device_type in ("GPU", "TPU") for device in tf.config.get_visible_devices())


def _sequential(a: Any, b: Any, h0: Any) -> Any:
    import tensorflow as tf

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def solve(a: Any, b: Any, h0: Any) -> Any:
        h = _loop(a, b, h0, reverse=False)

        def gradient(g: Any) -> tuple[Any, Any, Any]:
            later = tf.concat([a[1:], tf.zeros_like(a[:1])], 0)
            dh = _loop(later, g, tf.zeros_like(h0), reverse=True)
            before = tf.concat([h0[None], h[:-1]], 0)
            return dh * before, dh, a[0] * dh[0]

        return h, gradient

    h = solve(tf.transpose(a, (1, 0, 2)), tf.transpose(b, (1, 0, 2)), h0)
    return tf.transpose(h, (1, 0, 2))


def _loop(a: Any, b: Any, h: Any, reverse: bool) -> Any:
    import tensorflow as tf

    time = tf.shape(a)[0]
    factors = tf.TensorArray(a.dtype, time, element_shape=a.shape[1:]).unstack(a)
    terms = tf.TensorArray(b.dtype, time, element_shape=b.shape[1:]).unstack(b)

    def step(t: Any, h: Any, states: Any) -> tuple[Any, Any, Any]:
        i = time - 1 - t if reverse else t
        new = factors.read(i) * h + terms.read(i)
        new.set_shape(h.shape)
        return t + 1, new, states.write(i, new)

    states = tf.TensorArray(h.dtype, time, element_shape=h.shape)
    # Without a gradient of its own the loop keeps nothing for one.
    return tf.while_loop(lambda t, *_: t < time, step, (tf.constant(0), h, states))[2].stack()
