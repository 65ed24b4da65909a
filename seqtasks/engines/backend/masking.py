"""First and last valid step of masked sequences."""

from __future__ import annotations

from typing import Any

from keras import ops


def last_valid_step(x: Any, mask: Any = None) -> Any:
    """Returns the last valid step of each row, or zeros for a row without one.

    Args:
        x: `(batch, time, size)`.
        mask: `(batch, time)`, true at valid steps; None: all are.

    Returns:
        `(batch, size)`.
    """
    return x[:, -1] if mask is None else _select(x, mask, first=False)


def first_valid_step(x: Any, mask: Any = None) -> Any:
    """Returns the first valid step of each row, or zeros for a row without one.

    Args:
        x: `(batch, time, size)`.
        mask: `(batch, time)`, true at valid steps; None: all are.

    Returns:
        `(batch, size)`.
    """
    return x[:, 0] if mask is None else _select(x, mask, first=True)


def zeros_where_empty(last: Any, mask: Any = None) -> Any:
    """Replaces `last`, `(batch, size)`, by zeros in rows without a valid step.

    Args:
        last: Outputs of the last valid steps, `(batch, size)`.
        mask: `(batch, time)`, true at valid steps; None: all are.
    """
    if mask is None:
        return last
    return ops.where(ops.any(ops.cast(mask, "bool"), axis=1, keepdims=True), last, ops.zeros_like(last))


def _select(x: Any, mask: Any, first: bool) -> Any:
    """Selects the first or last valid step of each row."""
    valid = ops.cast(mask, "bool")
    steps = ops.arange(1, ops.shape(x)[1] + 1)
    if first:
        chosen = ops.min(ops.where(valid, steps, ops.shape(x)[1] + 1), axis=1)
    else:
        chosen = ops.max(ops.where(valid, steps, 0), axis=1)
    return ops.einsum("bt,btf->bf", ops.cast(ops.equal(steps[None, :], chosen[:, None]), x.dtype), x)
