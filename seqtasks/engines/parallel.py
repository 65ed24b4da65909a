"""Engine `parallel`: all time steps at once, for cells that are linear in their state.

Such a cell writes `scan` with linear recurrences h_t = a_t ⊙ h_{t-1} + b_t, whose
coefficients need no state and are computed for the whole sequence beforehand.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras
from keras import ops

from seqtasks.engines import chunked_scan
from seqtasks.engines.backend.masking import last_valid_step
from seqtasks.engines.linear_recurrence import compiles, linear_recurrence
from seqtasks.engines.loop import project, project_steps

if TYPE_CHECKING:
    from seqtasks.cells.base import Cell

NARROW = 8  # features


def unsupported_reason(cell: Cell) -> str | None:
    """Why this engine cannot run a cell, or None if it can."""
    if not cell.has_own("scan"):
        return f"{type(cell).__name__} has no `scan`, as only cells have that are linear in their state"
    return None


def run(
    cell: Cell,
    x: Any,
    states: Sequence[Any],
    mask: Any = None,
    reverse: bool = False,
    sequences: bool = True,
    dot_mask: Any = None,
    zone: Any = None,
) -> tuple[Any, list[Any]]:
    """Runs a cell over time; arguments and results as in `loop.run`."""
    assert dot_mask is None and zone is None and cell.scan is not None
    if x.shape[1] == 0:
        empty = ops.zeros((ops.shape(x)[0], 0, cell.output_size), dtype=cell.compute_dtype)
        return empty if sequences else ops.sum(empty, axis=1), list(states)

    # XLA is slow at products on a CPU, so they stay outside; but those of few features only move memory.
    narrow = x.shape[-1] <= NARROW
    xs = ops.swapaxes(x, 0, 1) if narrow else project(cell, x)
    real = None if mask is None else ops.swapaxes(ops.cast(mask, "bool"), 0, 1)
    if reverse:
        xs, real = ops.flip(xs, axis=0), None if real is None else ops.flip(real, axis=0)

    def scan(xs: Any, real: Any, *states: Any) -> tuple[Any, list[Any]]:
        assert cell.scan is not None
        p = project_steps(cell, xs) if narrow else xs
        outputs, histories = cell.scan(p, states, Recurrence(p, real))
        return outputs, [history[-1] for history in histories]

    if compiles():
        outputs, final = chunked_scan.run(scan, cell.weights, xs, real, states, cell.output_size, sequences)
        if not sequences:
            return outputs, final
    else:
        outputs, final = scan(xs, real, *states)
    outputs, real = ops.swapaxes(outputs, 0, 1), None if real is None else ops.swapaxes(real, 0, 1)
    if not sequences:
        return last_valid_step(outputs, real), final
    if real is not None:
        outputs = ops.where(ops.expand_dims(real, -1), outputs, ops.zeros_like(outputs))
    return (ops.flip(outputs, axis=1) if reverse else outputs), final


class Recurrence:
    """Linear recurrences over time in which masked steps change nothing.

    Args:
        p: the projected inputs, (time, batch, width).
        mask: (time, batch) of bool; None: all steps are real.
    """

    def __init__(self, p: Any, mask: Any = None) -> None:
        self.p = p
        self.mask = None if mask is None else ops.expand_dims(mask, -1)

    def __call__(self, a: Any, b: Any, h0: Any) -> Any:
        """All h_t = a_t ⊙ h_{t-1} + b_t.

        Args:
            a: factors, broadcast to the shape of `b`.
            b: (time, batch, size).
            h0: the state before the first step, (batch, size).

        Returns:
            (time, batch, size); a masked step repeats the state before it.
        """
        a = ops.broadcast_to(a, ops.shape(b)) if a.shape != b.shape else a
        if self.mask is not None:
            a = ops.where(self.mask, a, ops.ones_like(a))
            b = ops.where(self.mask, b, ops.zeros_like(b))
        return linear_recurrence(a, b, h0)

    def shift(self, v: Any, v0: Any) -> tuple[Any, Any]:
        """What `v` was at the real step before, and at the last real step so far.

        Args:
            v: (time, batch, size).
            v0: (batch, size), where there was no real step yet.

        Returns:
            Two tensors (time, batch, size).
        """
        held = v if self.mask is None else self(ops.zeros_like(v), v, v0)
        return ops.concatenate([ops.expand_dims(v0, 0), held[:-1]], axis=0), held

    def steps(self) -> Any:
        """The number of real steps up to and including each, (time, batch or 1, 1), in float32 or float64."""
        # Half precision counts to 256 or 2048 only.
        dtype = "float64" if keras.backend.standardize_dtype(self.p.dtype) == "float64" else "float32"
        if self.mask is None:
            return ops.cast(ops.arange(1, ops.shape(self.p)[0] + 1), dtype)[:, None, None]
        return ops.cast(ops.cumsum(ops.cast(self.mask, "int32"), axis=0), dtype)
