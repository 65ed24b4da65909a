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


def keras_order(outputs: Any, mask: Any, backward: bool, zero_masked: bool) -> Any:
    """Brings outputs into the form of Keras's recurrent layers: in the order of computation, the last one repeated.

    Args:
        outputs: Outputs in the order of the inputs, `(batch, time, size)`, zero at masked steps.
        mask: `(batch, time)`, true at valid steps; None: all are.
        backward: Whether the steps were computed from the last to the first; the result is then reversed.
        zero_masked: Whether outputs of masked steps stay zero. Otherwise they are those of the valid step that
            was computed before, and zero if there is none.
    """
    if mask is None or zero_masked:
        return ops.flip(outputs, axis=1) if backward else outputs
    batch, time = ops.shape(outputs)[:2]
    valid = ops.cast(mask, "bool")
    if backward:
        valid = ops.flip(valid, axis=1)
    steps, first = ops.arange(time, dtype="int32"), time * ops.arange(batch, dtype="int32")[:, None]
    # `order` has the valid steps of a row first; the last of them so far is the one to repeat. Keras has no cumulative
    # maximum, and its `associative_scan` needs a known length.
    order = ops.sort(ops.where(valid, steps, steps + time), axis=1)
    count = ops.cumsum(ops.cast(valid, "int32"), axis=1)
    source = ops.take(ops.reshape(order, (-1,)), ops.maximum(count - 1, 0) + first, axis=0)
    source = ops.where(count > 0, source, 0)  # the step 0 is then masked, and its output is zero
    rows = ops.reshape((time - 1 - source if backward else source) + first, (-1,))
    # `take_along_axis` would repeat the indices for each of `size` columns.
    taken = ops.take(ops.reshape(outputs, (-1, outputs.shape[-1])), rows, axis=0)
    return ops.reshape(taken, (batch, time, outputs.shape[-1]))


def _select(x: Any, mask: Any, first: bool) -> Any:
    """Selects the first or last valid step of each row."""
    valid = ops.cast(mask, "bool")
    steps = ops.arange(1, ops.shape(x)[1] + 1)
    if first:
        chosen = ops.min(ops.where(valid, steps, ops.shape(x)[1] + 1), axis=1)
    else:
        chosen = ops.max(ops.where(valid, steps, 0), axis=1)
    return ops.einsum("bt,btf->bf", ops.cast(ops.equal(steps[None, :], chosen[:, None]), x.dtype), x)
