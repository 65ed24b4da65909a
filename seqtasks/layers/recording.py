"""Context in which recurrent layers keep their states and gates at all time steps."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from keras import ops

from seqtasks.engines import LoopInputs
from seqtasks.engines import trace as engine_trace

Shifts = Callable[[Any, LoopInputs], Sequence[Any] | None]


@dataclass(frozen=True, eq=False)
class Record:
    """One call of a recurrent layer.

    Attributes:
        layer: The layer, a `Recurrent`.
        inputs: Arguments of the loop over time.
        states: Each state after every step, `(batch, time, size)`, in the order of `Cell.states`.
        gates: Gates by name, `(batch, time, size)`, of any value at masked steps.
    """

    layer: Any
    inputs: LoopInputs
    states: list[Any]
    gates: dict[str, Any]


@dataclass(frozen=True, eq=False)
class Recorder:
    """Keeps the calls of recurrent layers, in their order; made by `recording`.

    Attributes:
        gates: Whether gates are computed; or the `id` of each layer whose gates are.
        shifts: Function of a layer and its inputs that returns summands of its states, see `engines.trace`, or None.
        records: The calls so far.
    """

    gates: bool | Container[int] = True
    shifts: Shifts | None = None
    records: list[Record] = field(default_factory=list)

    def run(self, layer: Any, engine: str, inputs: LoopInputs) -> tuple[Any, list[Any]]:
        """Runs a layer in place of its engine and records it.

        Args:
            layer: The layer, a `Recurrent`.
            engine: Name of its engine for this call.
            inputs: Arguments of the loop.

        Returns:
            Outputs of all steps and final states, as `Engine.run` returns them.
        """
        shifts = None if self.shifts is None else self.shifts(layer, inputs)
        traced = engine_trace.trace(engine, layer.cell, inputs, shifts)
        wanted = self.gates if isinstance(self.gates, bool) else id(layer) in self.gates
        gates = engine_trace.gates(layer.cell, inputs, traced) if wanted else {}
        self.records.append(Record(layer, inputs, traced.states, gates))
        return ops.convert_to_tensor(traced.outputs), [ops.convert_to_tensor(state) for state in traced.final]


_active: ContextVar[Recorder | None] = ContextVar("recorder", default=None)


def recorder() -> Recorder | None:
    """Returns the recorder of the innermost `recording`; None outside of it."""
    return _active.get()


@contextmanager
def recording(gates: bool | Container[int] = True, shifts: Shifts | None = None) -> Iterator[list[Record]]:
    """Context in which each call of a recurrent layer in inference adds a `Record` to the list that is returned.

    The states that stateful layers keep between calls do not change. Models have to be called directly, as
    `model(inputs)`; `predict` runs a compiled graph.

    Args:
        gates: Whether to compute the gates of cells that declare them; or the `id` of each layer whose gates to
            compute.
        shifts: See `Recorder`.

    Example:
        >>> import numpy as np
        >>> from seqtasks.layers import Encoder
        >>> from seqtasks.layers.recording import recording
        >>> encoder = Encoder(cell="lstm", units=4)
        >>> with recording() as records:
        ...     outputs, states = encoder(np.zeros((2, 5, 3), "float32"))
        >>> [tuple(state.shape) for state in records[0].states], sorted(records[0].gates)
        ([(2, 5, 4), (2, 5, 4)], ['forget', 'input', 'output'])
    """
    made = Recorder(gates, shifts)
    token = _active.set(made)
    try:
        yield made.records
    finally:
        _active.reset(token)
