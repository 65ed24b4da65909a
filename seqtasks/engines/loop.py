"""Engine `loop`: any cell, inputs projected at once, then a loop of `Cell.step`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from keras import ops

from seqtasks.engines.backend.scan import scan

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


if TYPE_CHECKING:
    from seqtasks.cells.base import Cell


def run(
    cell: Cell,
    x: Any,
    states: Sequence[Any],
    mask: Any = None,
    reverse: bool = False,
    sequences: bool = True,
    dot_mask: Any = None,
    zone: Any = None,
    projected: bool = False,
) -> tuple[Any, list[Any]]:
    """Runs a cell over time.

    Args:
        cell: a built cell.
        x: inputs, (batch, time, features).
        states: the states before the first step, each (batch, size).
        mask: (batch, time), true at real steps; None: all are.
        reverse: start at the last step. Outputs keep the order of `x`.
        sequences: return the outputs of all steps, else of the last real one.
        dot_mask: (batch, size) factor of the state in recurrent products.
        zone: zoneout. A number is the part of the old state that stays; a list holds one
            (batch, time, size) of bool for each state, true where the old value stays.
        projected: `x` is what `Cell.project` made of the inputs.

    Returns:
        Outputs (batch, time, units) or (batch, units), zero where masked, and the
        final states.
    """
    p = ops.swapaxes(x, 0, 1) if projected else project(cell, x)
    xs = [p]
    if mask is not None:
        xs.append(ops.expand_dims(ops.swapaxes(ops.cast(mask, "bool"), 0, 1), -1))
    if isinstance(zone, list):
        xs += [ops.swapaxes(part, 0, 1) for part in zone]
    n = len(states)
    ends_as = None if sequences else _output_state(cell, p, states)
    carries_output = not sequences and ends_as is None

    def body(carry: tuple[Any, ...], inputs: tuple[Any, ...]) -> tuple[tuple[Any, ...], Any]:
        old = carry[:n]
        output, new = cell.step(inputs[0], list(old))
        if zone is not None:
            stay = inputs[-n:] if isinstance(zone, list) else [zone] * n
            zoned = [_zoneout(*of_state) for of_state in zip(old, new, stay, strict=True)]
            output = next((z for z, state in zip(zoned, new, strict=True) if output is state), output)
            new = zoned
        if mask is not None:
            real = inputs[1]
            new = [ops.where(real, after, before) for after, before in zip(new, old, strict=True)]
            if sequences or carries_output:
                output = ops.where(real, output, ops.zeros_like(output) if sequences else carry[n])
        return (*new, output) if carries_output else tuple(new), output

    carry = tuple(states)
    if carries_output:
        carry += (ops.zeros((ops.shape(x)[0], cell.output_size), dtype=p.dtype),)
    with cell.variational_dropout(dot_mask):
        carry, outputs = scan(body, carry, xs, reverse, cell.output_size if sequences else None)
    if sequences:
        return ops.swapaxes(outputs, 0, 1), list(carry)
    if ends_as is None:
        return carry[n], list(carry[:n])
    last = carry[ends_as]
    if mask is not None:
        any_valid = ops.any(ops.cast(mask, "bool"), axis=1, keepdims=True)
        last = ops.where(any_valid, last, ops.zeros_like(last))
    return last, list(carry)


def _output_state(cell: Cell, p: Any, states: Sequence[Any]) -> int | None:
    """Which state is the output, if one is: it need not be carried twice."""
    if p.shape[0] == 0:
        return None
    output, new = cell.step(p[0], list(states))  # of a graph this is cut away, as nothing uses it
    return next((k for k, state in enumerate(new) if state is output), None)


def _zoneout(old: Any, new: Any, stay: Any) -> Any:
    return stay * old + (1 - stay) * new if isinstance(stay, float) else ops.where(stay, old, new)
