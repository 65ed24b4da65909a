"""States of all time steps, on any engine, and their sensitivity to shifts; for analysis, not training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from keras import ops

from seqtasks.engines import loop, native
from seqtasks.engines.backend.scan import scan
from seqtasks.engines.engine import LoopInputs, Tensor

if TYPE_CHECKING:
    from seqtasks.cells.base import Cell


@dataclass(frozen=True, eq=False)
class Trace:
    """Outputs and states of a pass over time.

    Attributes:
        outputs: As `Engine.run` returns them for all steps, `(batch, time, output_size)`.
        final: Final states, each `(batch, size)`.
        states: Each state after every step, `(batch, time, size)`; a masked step repeats the state before it.
        gates: Gates by name, as `gates` returns them, of an engine that keeps them; else None.
    """

    outputs: Tensor
    final: list[Tensor]
    states: list[Tensor]
    gates: dict[str, Tensor] | None = None


def trace(engine: str, cell: Cell, inputs: LoopInputs, shifts: Sequence[Tensor] | None = None) -> Trace:
    """Runs a built cell over time and keeps all states.

    Args:
        engine: Name of the engine. `native` keeps its speed and returns NumPy arrays; in place of others runs `loop`,
            which computes the same equations.
        cell: Built cell.
        inputs: As for `Engine.run`.
        shifts: Tensors `(batch, time, size)`, one for each state, that are added to the states after each valid step.
            The gradient with respect to zero shifts is that with respect to the states. Runs on `loop`.
    """
    if engine == "native" and shifts is None:
        return Trace(*native.trace(cell, inputs))
    x, mask, n = inputs.x, inputs.mask, len(inputs.states)
    xs = [ops.swapaxes(x, 0, 1) if inputs.projected else loop.project(cell, x)]
    if mask is not None:
        xs.append(ops.expand_dims(ops.swapaxes(ops.cast(mask, "bool"), 0, 1), -1))
    xs += [ops.swapaxes(shift, 0, 1) for shift in shifts or ()]
    kept = None if inputs.zoneout is None else [inputs.zoneout] * n

    def body(old: tuple[Any, ...], at_step: tuple[Any, ...]) -> tuple[tuple[Any, ...], Any]:
        valid = None if mask is None else at_step[1]
        output, new = loop.advance(cell, at_step[0], old, kept, valid, None if shifts is None else at_step[-n:])
        if valid is not None:
            output = ops.where(valid, output, ops.zeros_like(output))
        return tuple(new), ops.concatenate([output, *new], axis=-1)

    sizes = [cell.output_size, *cell.state_size]
    with cell.preparation():
        final, joined = scan(body, tuple(inputs.states), xs, inputs.reverse, sum(sizes))
    outputs, *states = ops.split(ops.swapaxes(joined, 0, 1), np.cumsum(sizes)[:-1].tolist(), axis=-1)
    return Trace(outputs, list(final), states)


def gates(cell: Cell, inputs: LoopInputs, traced: Trace) -> dict[str, Tensor]:
    """Returns the gates of all steps: those that the engine kept, else computed from the states of all steps at once.

    Args:
        cell: Built cell.
        inputs: As for `trace`.
        traced: What `trace` returned.

    Returns:
        Gates by name, `(batch, time, size)`, of any value at masked steps; none if the cell declares no gates.
    """
    if traced.gates is not None:
        return traced.gates
    before = [previous(state, start, inputs.reverse) for state, start in zip(traced.states, inputs.states, strict=True)]
    shape = before[0].shape[:2]
    if 0 in shape:
        return {}
    flat = [ops.reshape(state, (-1, state.shape[-1])) for state in before]
    with cell.recorded_gates() as declared:  # one row, to learn whether there are gates
        cell.step(cell.project(ops.reshape(inputs.x, (-1, inputs.x.shape[-1]))[:1]), [state[:1] for state in flat])
    if not declared:
        return {}
    x = ops.reshape(inputs.x, (-1, inputs.x.shape[-1]))
    if inputs.tokens is not None:  # x is a table
        p = ops.take(cell.project(x), ops.reshape(inputs.tokens, (-1,)), axis=0)
    else:
        p = x if inputs.projected else cell.project(x)
    with cell.recorded_gates() as values:
        cell.step(p, flat)
    return {name: ops.reshape(value, (*shape, value.shape[-1])) for name, value in values.items()}


def previous(state: Tensor, start: Tensor, reverse: bool) -> Tensor:
    """Returns a state before every step.

    Args:
        state: The state after every step, `(batch, time, size)`.
        start: The initial state, `(batch, size)`.
        reverse: Whether the steps run from the last to the first.
    """
    state, first = ops.convert_to_tensor(state), ops.cast(ops.expand_dims(start, 1), state.dtype)
    return ops.concatenate([state[:, 1:], first] if reverse else [first, state[:, :-1]], axis=1)
