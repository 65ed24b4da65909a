"""Engine `loop`: runs any cell, by one product for the inputs and a loop of `Cell.step`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from keras import ops

from seqtasks.engines.backend.masking import zeros_where_empty
from seqtasks.engines.backend.scan import scan
from seqtasks.engines.engine import LoopInputs, Tensor

if TYPE_CHECKING:
    from seqtasks.cells.base import Cell


def project(cell: Cell, x: Any) -> Any:
    """Projects the inputs of all steps in one product.

    Args:
        cell: Built cell.
        x: Inputs, `(batch, time, features)`.

    Returns:
        Projected inputs, `(time, batch, width)`, so that the inputs of a step are contiguous in memory.
    """
    return project_steps(cell, ops.swapaxes(x, 0, 1))


def project_steps(cell: Cell, x: Any) -> Any:
    """Projects inputs with the time axis first, `(time, batch, features)`.

    Returns:
        Projected inputs, `(time, batch, width)`.
    """
    time, batch = ops.shape(x)[:2]
    # Reshape to a matrix: TensorFlow multiplies tensors of three axes step by step, as it does for their gradients.
    p = cell.project(ops.reshape(x, (-1, x.shape[-1])))
    return ops.reshape(p, (time, batch, p.shape[-1]))


def unsupported_reason(cell: Cell, recurrent_dropout: float = 0.0, zoneout: float = 0.0) -> str | None:
    """Returns None: this engine runs every cell."""
    return None


def run(cell: Cell, inputs: LoopInputs) -> tuple[Tensor, list[Tensor]]:
    """Runs a built cell over time, see `Engine.run`."""
    x, mask, zoneout, states = inputs.x, inputs.mask, inputs.zoneout, inputs.states
    p = ops.swapaxes(x, 0, 1) if inputs.projected else project(cell, x)
    xs = [p]
    if mask is not None:
        xs.append(ops.expand_dims(ops.swapaxes(ops.cast(mask, "bool"), 0, 1), -1))
    if isinstance(zoneout, list):
        xs += [ops.swapaxes(part, 0, 1) for part in zoneout]
    n, sequences = len(states), inputs.return_sequences
    output_state = None if sequences else _output_state(cell, p, states)
    carries_output = not sequences and output_state is None

    def body(carry: tuple[Any, ...], at_step: tuple[Any, ...]) -> tuple[tuple[Any, ...], Any]:
        old = carry[:n]
        kept = at_step[-n:] if isinstance(zoneout, list) else None if zoneout is None else [zoneout] * n
        valid = None if mask is None else at_step[1]
        output, new = advance(cell, at_step[0], old, kept, valid)
        if valid is not None and (sequences or carries_output):
            output = ops.where(valid, output, ops.zeros_like(output) if sequences else carry[n])
        return (*new, output) if carries_output else tuple(new), output

    carry = tuple(states)
    if carries_output:
        carry += (ops.zeros((ops.shape(x)[0], cell.output_size), dtype=p.dtype),)
    with cell.variational_dropout(inputs.dropout_mask), cell.preparation():
        carry, outputs = scan(body, carry, xs, inputs.reverse, cell.output_size if sequences else None)
    if sequences:
        return ops.swapaxes(outputs, 0, 1), list(carry)
    if output_state is None:
        return carry[n], list(carry[:n])
    return zeros_where_empty(carry[output_state], mask), list(carry)


def advance(
    cell: Cell, p: Any, old: Sequence[Any], kept: Sequence[Any] | None, valid: Any, shifts: Sequence[Any] | None = None
) -> tuple[Any, list[Any]]:
    """Advances a cell by one step of the loop.

    Args:
        cell: Built cell.
        p: Projected inputs of the step, `(batch, width)`.
        old: States before the step, each `(batch, size)`.
        kept: Zoneout of each state, as a number or as bool `(batch, size)`; None: no zoneout.
        valid: Bool `(batch, 1)`, true where the step is not masked; None: it is valid in all rows.
        shifts: Summands of the new states, each `(batch, size)`; None: nothing is added.

    Returns:
        The output, `(batch, output_size)`, of any value in masked rows, and the states after the step, which in masked
        rows are those before it.
    """
    output, new = cell.step(p, list(old))
    if kept is not None or shifts is not None:
        changed = new if kept is None else [_zoneout(*state) for state in zip(old, new, kept, strict=True)]
        changed = changed if shifts is None else [state + shift for state, shift in zip(changed, shifts, strict=True)]
        output = next((z for z, state in zip(changed, new, strict=True) if output is state), output)
        new = changed
    if valid is not None:
        new = [ops.where(valid, after, before) for after, before in zip(new, old, strict=True)]
    return output, new


def _output_state(cell: Cell, p: Any, states: Sequence[Any]) -> int | None:
    """Returns the index of the state that is also the output, or None."""
    if p.shape[0] == 0:
        return None
    output, new = cell.step(p[0], list(states))  # pruned from a graph, because nothing uses the result
    return next((k for k, state in enumerate(new) if state is output), None)


def _zoneout(old: Any, new: Any, kept: Any) -> Any:
    """Returns the state after zoneout: a mean of old and new values, or a choice of them."""
    return kept * old + (1 - kept) * new if isinstance(kept, float) else ops.where(kept, old, new)
