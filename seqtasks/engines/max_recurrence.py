"""Recurrence m_t = max(m_{t-1} + d_t, k_t), differentiable on every backend.

It gives the largest exponent of a sum with decays, by which an exponential gate stays in range. TensorFlow
runs step by step, forward and backward, as in `linear_recurrence`; JAX and PyTorch use an associative scan.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from seqtasks.engines.backend.custom_gradient import custom_gradient
from seqtasks.engines.backend.shape_inference import infers_shapes
from seqtasks.engines.linear_recurrence import fused, loop


def max_recurrence(d: Any, k: Any, m0: Any) -> Any:
    """Computes all values of the recurrence.

    Args:
        d: Summands, `(time, batch, size)`.
        k: Lower bounds, `(time, batch, size)`.
        m0: Value before the first step, `(batch, size)`.

    Returns:
        Values, `(time, batch, size)`.
    """
    return _sequential(d, k, m0) if keras.backend.backend() == "tensorflow" else associative(d, k, m0)


def associative(d: Any, k: Any, m0: Any) -> Any:
    """`max_recurrence` by an associative scan: steps (d, k) compose to (d₁ + d₂, max(k₁ + d₂, k₂))."""

    def compose(first: tuple[Any, Any], second: tuple[Any, Any]) -> tuple[Any, Any]:
        return first[0] + second[0], ops.maximum(first[1] + second[0], second[1])

    dtype = k.dtype  # PyTorch's scan computes float16 in float32
    if not infers_shapes(k) and k.shape[0] > 1:  # `associative_scan` of Keras 3.12 does not return for a single step
        d, k = ops.associative_scan(compose, (d, k), axis=0)
    return ops.cast(ops.maximum(m0 + d, k), dtype)


def _sequential(d: Any, k: Any, m0: Any) -> Any:
    """`max_recurrence` as a loop of TensorFlow with its own gradient."""

    @custom_gradient
    def solve(d: Any, k: Any, m0: Any) -> Any:
        m = fused(_forward)(d, k, m0)

        def gradient(g: Any) -> tuple[Any, Any, Any]:
            return fused(_backward)(d, k, m, m0, g)

        return m, gradient

    return solve(d, k, m0)


def _forward(d: Any, k: Any, m0: Any) -> Any:
    """Computes all values of the recurrence in a loop."""

    def step(t: int, m: Any, summands: Any, bounds: Any) -> tuple[Any, Any]:
        m = ops.maximum(m + summands.read(t), bounds.read(t))
        return m, m

    return loop(step, m0, (d, k), reverse=False)[1]


def _backward(d: Any, k: Any, m: Any, m0: Any, g: Any) -> tuple[Any, Any, Any]:
    """Computes gradients: that of m_t goes to the larger of the two."""
    import tensorflow as tf

    keeps = tf.cast(tf.concat([m0[None], m[:-1]], 0) + d >= k, g.dtype)

    def step(t: int, carry: Any, kept: Any, gradients: Any) -> tuple[Any, Any]:
        dm = gradients.read(t) + carry
        return kept.read(t) * dm, dm

    dm0, dm = loop(step, tf.zeros_like(m0), (keeps, g), reverse=True)
    return keeps * dm, (1 - keeps) * dm, dm0
