"""Engine `loop`: any cell, inputs projected at once, then a loop of `Cell.step`."""

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
    """The inputs of all steps projected in one product.

    Args:
        cell: a built cell.
        x: (batch, time, features).

    Returns:
        (time, batch, width): the loop then works on whole rows of memory.
    """
    return project_steps(cell, ops.swapaxes(x, 0, 1))


def project_steps(cell: Cell, x: Any) -> Any:
    """The same of inputs (time, batch, features)."""
    time, batch = ops.shape(x)[:2]
    # As a matrix: TensorFlow multiplies a tensor of three axes step by step, and so its gradient.
    p = cell.project(ops.reshape(x, (-1, x.shape[-1])))
    return ops.reshape(p, (time, batch, p.shape[-1]))


def unsupported_reason(cell: Cell, recurrent_dropout: float = 0.0, zoneout: float = 0.0) -> str | None:
    """None: this engine runs every cell."""
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
        output, new = cell.step(at_step[0], list(old))
        if zoneout is not None:
            stay = at_step[-n:] if isinstance(zoneout, list) else [zoneout] * n
            zoned = [_zoneout(*of_state) for of_state in zip(old, new, stay, strict=True)]
            output = next((z for z, state in zip(zoned, new, strict=True) if output is state), output)
            new = zoned
        if mask is not None:
            valid = at_step[1]
            new = [ops.where(valid, after, before) for after, before in zip(new, old, strict=True)]
            if sequences or carries_output:
                output = ops.where(valid, output, ops.zeros_like(output) if sequences else carry[n])
        return (*new, output) if carries_output else tuple(new), output

    carry = tuple(states)
    if carries_output:
        carry += (ops.zeros((ops.shape(x)[0], cell.output_size), dtype=p.dtype),)
    with cell.variational_dropout(inputs.dropout_mask):
        carry, outputs = scan(body, carry, xs, inputs.reverse, cell.output_size if sequences else None)
    if sequences:
        return ops.swapaxes(outputs, 0, 1), list(carry)
    if output_state is None:
        return carry[n], list(carry[:n])
    return zeros_where_empty(carry[output_state], mask), list(carry)


def _output_state(cell: Cell, p: Any, states: Sequence[Any]) -> int | None:
    """Which state is the output, if one is: it need not be carried twice."""
    if p.shape[0] == 0:
        return None
    output, new = cell.step(p[0], list(states))  # of a graph this is cut away, as nothing uses it
    return next((k for k, state in enumerate(new) if state is output), None)


def _zoneout(old: Any, new: Any, stay: Any) -> Any:
    return stay * old + (1 - stay) * new if isinstance(stay, float) else ops.where(stay, old, new)
