"""First and last valid step of a masked sequence."""

from __future__ import annotations

from typing import Any

from keras import ops


def last_valid_step(x: Any, mask: Any = None) -> Any:
    """The last real step of `x` (batch, time, size) as (batch, size); zeros for a row without one."""
    return x[:, -1] if mask is None else _pick(x, mask, first=False)


def first_valid_step(x: Any, mask: Any = None) -> Any:
    """The first real step of `x` (batch, time, size) as (batch, size); zeros for a row without one."""
    return x[:, 0] if mask is None else _pick(x, mask, first=True)


def _pick(x: Any, mask: Any, first: bool) -> Any:
    real = ops.cast(mask, "bool")
    steps = ops.arange(1, ops.shape(x)[1] + 1)
    if first:
        chosen = ops.min(ops.where(real, steps, ops.shape(x)[1] + 1), axis=1)
    else:
        chosen = ops.max(ops.where(real, steps, 0), axis=1)
    return ops.einsum("bt,btf->bf", ops.cast(ops.equal(steps[None, :], chosen[:, None]), x.dtype), x)
