"""Complex states as pairs of real tensors, rotated so that a linear recurrence over them is real."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from seqtasks.cells.recurrence import Recurrence, Repeat, as_it_is


def rotated_recurrence(
    radius: Any, phase: Any, re: Any, im: Any, states: tuple[Any, Any], recur: Recurrence
) -> tuple[Any, Any]:
    """Solves h_t = radius_t exp(i phase) ⊙ h_{t-1} + (re_t + i im_t) for all time steps at once.

    The substitution w_k = exp(-i k phase) h_k leaves a recurrence whose factors are real.

    Args:
        radius: Absolute values of the factors, `(size,)` or `(time, batch, size)`.
        phase: Phases of the factors in radians, `(size,)`.
        re: Real part of the summands, `(time, batch, size)`.
        im: Imaginary part of the summands, `(time, batch, size)`.
        states: Real and imaginary part of the state before the first step, `(batch, size)` each.
        recur: Recurrences, the argument of `Cell.scan`.

    Returns:
        Real and imaginary part of the states of all steps, `(time, batch, size)` each.
    """
    turned = angle(phase, recur.steps(), recur.repeat)
    b = ops.concatenate(rotate(re, im, -turned, recur.repeat), axis=-1)
    w = recur(ops.concatenate([radius, radius], axis=-1), b, ops.concatenate(states, axis=-1))
    re, im = ops.split(w, 2, axis=-1)
    return rotate(re, im, turned, recur.repeat)


def angle(phase: Any, k: Any, repeat: Repeat = as_it_is) -> Any:
    """Angle phase · k in radians, without multiples of 2π that cost precision.

    The phase in turns is split into its leading bits and the remainder. The leading bits are multiplied by k without
    rounding, so whole turns can be dropped exactly.

    Args:
        phase: Phases in radians, `(size,)`.
        k: Numbers of steps, of a shape that can be broadcast to that of the result.
        repeat: Repeats a weight for each step, see `Recurrence.repeat`.
    """
    dtype = keras.backend.result_type(phase.dtype, "float32")
    turns, k = ops.cast(phase, dtype) / (2 * math.pi), ops.cast(k, dtype)
    lead = ops.stop_gradient(ops.round(turns * 1024) / 1024)
    return 2 * math.pi * (ops.mod(lead * k, 1) + repeat(turns - lead, k) * k)


def rotate(re: Any, im: Any, angle: Any, repeat: Repeat = as_it_is) -> tuple[Any, Any]:
    """Real and imaginary part of (re + i im) exp(i angle)."""
    cos, sin = (repeat(ops.cast(part, re.dtype), re) for part in (ops.cos(angle), ops.sin(angle)))
    return re * cos - im * sin, re * sin + im * cos


def hold(decay_rate: Any, frequency: Any, dt: Any) -> tuple[Any, Any, Any, Any]:
    """Zero-order hold of the diagonal system h' = A h + B u with A = -decay_rate + i frequency.

    Args:
        decay_rate: Negative real part of A, above 0, `(size,)`.
        frequency: Imaginary part of A, `(size,)`.
        dt: Step size, `(size,)`.

    Returns:
        Absolute value and phase of exp(dt A), and real and imaginary part of (exp(dt A) - 1) / A.
    """
    radius, phase = ops.exp(-dt * decay_rate), dt * frequency
    cos, sin, half = ops.cos(phase), ops.sin(phase), ops.sin(phase / 2)
    # exp(dt A) - 1, without the cancellation of the leading digits if dt A is small
    re, im = ops.expm1(-dt * decay_rate) * cos - 2 * half * half, radius * sin
    square = decay_rate * decay_rate + frequency * frequency
    return radius, phase, (im * frequency - re * decay_rate) / square, -(im * decay_rate + re * frequency) / square
