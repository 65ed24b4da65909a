"""Engine `parallel`: all time steps at once, for cells that are linear in their state.

Such a cell defines `scan` by linear recurrences h_t = a_t ⊙ h_{t-1} + b_t, whose coefficients do not
depend on the state and are computed for the whole sequence in advance; or, if its state is a matrix, by
chunks of consecutive steps, see `seqtasks.engines.matrix_chunks`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import keras
from keras import ops

from seqtasks.engines import chunked_scan, matrix_chunks
from seqtasks.engines.backend.masking import last_valid_step
from seqtasks.engines.backend.per_step import per_step
from seqtasks.engines.engine import ZONEOUT, LoopInputs, Tensor
from seqtasks.engines.linear_recurrence import compiles, linear_recurrence
from seqtasks.engines.loop import project, project_steps
from seqtasks.engines.max_recurrence import max_recurrence

if TYPE_CHECKING:
    from seqtasks.cells.base import Cell

NARROW = 8  # inputs with at most so many features are projected inside of the compiled scan


def unsupported_reason(cell: Cell, recurrent_dropout: float = 0.0, zoneout: float = 0.0) -> str | None:
    """Returns why this engine cannot run a cell at these rates, or None if it can."""
    if not cell.has_own("scan"):
        return f"{type(cell).__name__} has no `scan`, which only cells that are linear in their state can have"
    if recurrent_dropout:
        return "recurrent_dropout changes each step of the loop"
    return ZONEOUT if zoneout else None


def run(cell: Cell, inputs: LoopInputs) -> tuple[Tensor, list[Tensor]]:
    """Runs a built cell over time, see `Engine.run`."""
    assert inputs.dropout_mask is None and inputs.zoneout is None and cell.scan is not None
    x, states, sequences = inputs.x, inputs.states, inputs.return_sequences
    if x.shape[1] == 0:
        empty = ops.zeros((ops.shape(x)[0], 0, cell.output_size), dtype=cell.compute_dtype)
        return empty if sequences else ops.sum(empty, axis=1), list(states)

    # Matrix products are slow in XLA on a CPU, so they are computed outside of the compiled scan. Products of few
    # features are limited by memory access, so they are computed inside.
    compiled = compiles() and not cell.scans_chunks
    narrow = x.shape[-1] <= NARROW and not cell.scans_chunks
    xs = ops.swapaxes(x, 0, 1) if narrow else project(cell, x)
    valid = None if inputs.mask is None else ops.swapaxes(ops.cast(inputs.mask, "bool"), 0, 1)
    if inputs.reverse:
        xs, valid = ops.flip(xs, axis=0), None if valid is None else ops.flip(valid, axis=0)

    def scan(xs: Any, valid: Any, *states: Any) -> tuple[Any, list[Any]]:
        assert cell.scan is not None
        p = project_steps(cell, xs) if narrow else xs
        outputs, histories = cell.scan(p, states, Recurrence(p, valid))
        return outputs, [history[-1] for history in histories]

    if compiled:
        outputs, final = chunked_scan.run(scan, cell.weights, xs, valid, states, cell.output_size, sequences)
        if not sequences:
            return outputs, final
    else:
        outputs, final = scan(xs, valid, *states)
    outputs, valid = ops.swapaxes(outputs, 0, 1), None if valid is None else ops.swapaxes(valid, 0, 1)
    if not sequences:
        return last_valid_step(outputs, valid), final
    if valid is not None:
        outputs = ops.where(ops.expand_dims(valid, -1), outputs, ops.zeros_like(outputs))
    return (ops.flip(outputs, axis=1) if inputs.reverse else outputs), final


class Recurrence:
    """Linear recurrences over time in which masked steps keep the state.

    Args:
        p: Projected inputs, `(time, batch, width)`.
        mask: Bool `(time, batch)`; None: all steps are valid.
    """

    def __init__(self, p: Any, mask: Any = None) -> None:
        self.p = p
        self.mask = None if mask is None else ops.expand_dims(mask, -1)

    def __call__(self, a: Any, b: Any, h0: Any) -> Any:
        """Computes all h_t = a_t ⊙ h_{t-1} + b_t.

        Args:
            a: Factors, broadcast to the shape of `b`.
            b: Summands, `(time, batch, size)`.
            h0: State before the first step, `(batch, size)`.

        Returns:
            States, `(time, batch, size)`; a masked step repeats the state before it.
        """
        if a.shape != b.shape:
            a = per_step(a, b) if len(a.shape) == 1 else ops.broadcast_to(a, ops.shape(b))
        if self.mask is not None:
            a = ops.where(self.mask, a, ops.ones_like(a))
            b = ops.where(self.mask, b, ops.zeros_like(b))
        return linear_recurrence(a, b, h0)

    def repeat(self, weight: Any, like: Any) -> Any:
        """Repeats a weight for each step and sequence, see `per_step`."""
        return per_step(weight, like)

    def maximum(self, d: Any, k: Any, m0: Any) -> Any:
        """Computes all m_t = max(m_{t-1} + d_t, k_t).

        Args:
            d: Summands, broadcast to the shape of `k`.
            k: Lower bounds, `(time, batch, size)`.
            m0: Value before the first step, `(batch, size)`.

        Returns:
            Values, `(time, batch, size)`; a masked step repeats the value before it.
        """
        d = ops.broadcast_to(d, ops.shape(k)) if d.shape != k.shape else d
        if self.mask is not None:
            d = ops.where(self.mask, d, ops.zeros_like(d))
            k = ops.where(self.mask, k, ops.full_like(k, -math.inf))
        return max_recurrence(d, k, m0)

    def shift(self, v: Any, v0: Any) -> tuple[Any, Any]:
        """Returns the values of the previous valid step, and of the last valid step up to each.

        Args:
            v: Values, `(time, batch, size)`.
            v0: Values where there was no valid step yet, `(batch, size)`.

        Returns:
            Two tensors, `(time, batch, size)`.
        """
        held = v if self.mask is None else self(ops.zeros_like(v), v, v0)
        return ops.concatenate([ops.expand_dims(v0, 0), held[:-1]], axis=0), held

    def steps(self) -> Any:
        """Counts the valid steps up to and including each.

        Returns:
            Numbers, `(time, batch, 1)` or, without a mask, `(time, 1, 1)`, in float32 or float64.
        """
        # Half precision represents integers only up to 256 (bfloat16) or 2048 (float16).
        dtype = "float64" if keras.backend.standardize_dtype(self.p.dtype) == "float64" else "float32"
        if self.mask is None:
            return ops.cast(ops.arange(1, ops.shape(self.p)[0] + 1), dtype)[:, None, None]
        return ops.cast(ops.cumsum(ops.cast(self.mask, "int32"), axis=0), dtype)

    def chunks(self, chunk: Callable[..., Any], p: Any, states: Sequence[Any], size: int) -> tuple[Any, list[Any]]:
        """Runs a function on chunks of consecutive steps, see `matrix_chunks.run`.

        Args:
            chunk: Function `outputs, states = chunk(p, states, valid)`.
            p: Projected inputs, `(time, batch, width)`.
            states: States before the first step, each `(batch, …)`.
            size: Width of the outputs.

        Returns:
            Outputs, `(time, batch, size)`, and each state after the last step, `(1, batch, …)`.
        """
        outputs, final = matrix_chunks.run(chunk, p, states, size, self.mask)
        return outputs, [ops.expand_dims(state, 0) for state in final]
