"""Contexts that keep the states of recurrent layers at all steps, or run the layers in a portable form."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any

from keras import ops

from seqtasks.engines import LoopInputs, loop
from seqtasks.engines import trace as engine_trace
from seqtasks.engines.backend.scan import portable_loops

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


@dataclass(frozen=True, eq=False)
class PortableRun:
    """Runs recurrent layers on the engine `loop`, from given states; made by `portable`.

    Attributes:
        states: Initial states of layers by the `id` of the layer; other layers start from their own.
        finals: Final states of the layers that have run, by their `id`.
        shifts: None; see `Recorder`.
    """

    states: Mapping[int, Sequence[Any]]
    finals: dict[int, list[Any]] = field(default_factory=dict)
    shifts: None = None

    def run(self, layer: Any, engine: str, inputs: LoopInputs) -> tuple[Any, list[Any]]:
        """Runs a layer in place of its engine, see `Recorder.run`."""
        if inputs.tokens is not None:  # then `x` is the embedding table
            inputs = replace(inputs, x=ops.take(inputs.x, inputs.tokens, axis=0), tokens=None)
        if id(layer) in self.states:
            inputs = replace(inputs, states=list(self.states[id(layer)]), mask=None)
        outputs, final = loop.run(layer.cell, replace(inputs, return_sequences=True))
        self.finals[id(layer)] = list(final)
        return outputs, list(final)


_active: ContextVar[Recorder | PortableRun | None] = ContextVar("recorder", default=None)


def recorder() -> Recorder | PortableRun | None:
    """Returns what runs the layers in the innermost context of this module; None outside of one."""
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


@contextmanager
def portable(states: Mapping[int, Sequence[Any]] | None = None) -> Iterator[dict[int, list[Any]]]:
    """Context in which recurrent layers consist of operations that other runtimes have, for exports.

    All layers run on the engine `loop`, and its loops have the form that converters translate, see
    `engines.backend.scan.portable_loops`.

    Args:
        states: Initial states of some layers by the `id` of the layer, each a list of `(batch, size)`. These layers
            ignore their mask.

    Yields:
        Final states of the layers that have run, by their `id`.

    Example:
        >>> import numpy as np
        >>> from seqtasks.layers import Encoder
        >>> from seqtasks.layers.recording import portable
        >>> encoder, x = Encoder(cell="gru", units=4), np.ones((1, 1, 3), "float32")
        >>> layer = encoder.recurrents[0]
        >>> with portable({id(layer): [np.ones((1, 4), "float32")]}) as finals:
        ...     outputs, states = encoder(x)
        >>> bool(np.all(finals[id(layer)][0] == states[0][0]))
        True
    """
    made = PortableRun(states or {})
    token = _active.set(made)
    try:
        with portable_loops():
            yield made.finals
    finally:
        _active.reset(token)
