"""Recurrent layer: one cell over a sequence in one direction, with masks and states.

- The layer returns the outputs and the final states.
- A masked step copies the states and has output zero, on every engine; a row without a valid step
  has zero outputs and its initial state as final state.
- States are an argument and a result: reading a sequence in chunks, each from the final states of the
  chunk before, is equal to reading the whole sequence.
- Time-aware cells also read the time between the steps. The gaps of masked steps add up, so a valid step
  has the time since the valid step before it. Masked steps after the last valid one change nothing.
- The mask is an argument, or else Keras's implicit mask of the input, see `MaskedLayer`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

import keras
from keras import ops

from seqtasks import engines
from seqtasks.cells.base import Cell
from seqtasks.core.errors import ConfigError
from seqtasks.engines import LoopInputs, keras_layers, native
from seqtasks.engines.backend import state_rows
from seqtasks.engines.backend.masking import first_valid_step, last_valid_step
from seqtasks.layers import recording
from seqtasks.layers.implicit_mask import MaskedLayer
from seqtasks.layers.time_gaps import check_shapes, check_use, elapsed, without_missing


@keras.saving.register_keras_serializable("seqtasks")
class Recurrent(MaskedLayer):
    """Recurrent layer: runs a cell over time and returns `(outputs, states)`.

    `RNN` is the same layer with the arguments and outputs of `keras.layers.RNN`.

    Masks: a masked step copies the states and has output zero, on every engine. The mask is an argument
    or Keras's implicit mask, which the outputs then carry.

    Args:
        cell: A recurrent cell of `seqtasks.cells`.
        direction: `"forward"`, or `"backward"` from the last step to the first; the outputs keep the order
            of the inputs.
        engine: `"auto"`, `"native"`, `"keras"`, `"parallel"` or `"loop"`. Where a graph is exported, or
            compiled by XLA under TensorFlow, another engine with the same weights replaces `native`.
        recurrent_dropout: Rate of variational dropout on the state where it enters a recurrent product, but
            not on the carried state; one mask per row and call (Gal & Ghahramani 2016,
            https://arxiv.org/abs/1512.05287).
        weight_drop: Rate of dropout on the recurrent matrices; one mask per call (Merity et al. 2017,
            https://arxiv.org/abs/1708.02182).
        zoneout: Probability that a unit of a state keeps its old value at a step; in inference the old and
            the new value are averaged with these probabilities (Krueger et al. 2016,
            https://arxiv.org/abs/1606.01305).
        stateful: Whether each call starts from the final states of the call before. Training and inference
            keep separate states.
        max_batch: Maximum batch size of a stateful layer.

    Attributes:
        running_engine: Engine that runs the time loop.
        portable_engine: Engine that runs it where a graph is exported or compiled by XLA.

    Raises:
        ConfigError: `direction` is another value, or `"backward"` in a stateful layer; the engine cannot
            run the cell; the cell has no recurrent weights for `recurrent_dropout` or `weight_drop`, or it
            counts elapsed time in a state, which rules out `zoneout`.
        TypeError: The cell is not one of `seqtasks.cells`.

    Example:
        >>> import numpy as np
        >>> from seqtasks.cells import LSTM
        >>> from seqtasks.layers import Recurrent
        >>> outputs, states = Recurrent(LSTM(4))(np.zeros((2, 5, 3), "float32"))
        >>> tuple(outputs.shape), [tuple(state.shape) for state in states]
        ((2, 5, 4), [(2, 4), (2, 4)])
    """

    def __init__(
        self,
        cell: Cell,
        direction: Literal["forward", "backward"] = "forward",
        engine: str = "auto",
        recurrent_dropout: float = 0.0,
        weight_drop: float = 0.0,
        zoneout: float = 0.0,
        stateful: bool = False,
        max_batch: int = 256,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if not isinstance(cell, Cell):
            raise TypeError(
                f"{type(self).__name__} received a {type(cell).__name__}; allowed: a cell of seqtasks.cells; give such "
                "a cell, or use keras.layers.RNN"
            )
        if direction not in ("forward", "backward"):
            raise ConfigError(f"direction is {direction!r}; allowed: forward, backward; choose one of them")
        if stateful and direction == "backward":
            raise ConfigError(
                "stateful layer with direction 'backward'; allowed: forward, as the backward state at the start of a "
                "chunk comes from later chunks; use stateful=False or direction='forward'"
            )
        self.cell = cell
        self.direction = direction
        self.engine = engine
        self.recurrent_dropout = recurrent_dropout
        self.weight_drop = weight_drop
        self.zoneout = zoneout
        self.stateful = stateful
        self.max_batch = max_batch
        self.running_engine = engines.choose(engine, cell, recurrent_dropout, zoneout)
        self.portable_engine = engines.choose(engine, cell, recurrent_dropout, zoneout, portable=True)
        if self.running_engine == "native" and not native.under_xla():
            self.supports_jit = False  # Keras's default, jit_compile="auto", then does not use XLA
        self.seed_generator = keras.random.SeedGenerator()
        self._kept: dict[bool, list[Any]] = {}

    def build(self, input_shape: Sequence[int | None]) -> None:
        if not self.cell.built:
            self.cell.build(input_shape)
            self.cell.built = True
        has_recurrent = any(weight.name.startswith("recurrent") for weight in self.cell.weights)
        reasons = {
            "recurrent_dropout": "" if has_recurrent else "has no recurrent weights for it",
            "weight_drop": "" if self.cell.recurrent_weights() else "has no recurrent weights for it",
            "zoneout": "counts elapsed time in a state, which it would delay" if self.cell.counts_time else "",
        }
        for name, reason in reasons.items():
            if getattr(self, name) and reason:
                raise ConfigError(
                    f"{name} is {getattr(self, name)}, but {type(self.cell).__name__} {reason}; allowed: 0; set "
                    f"{name}=0, or use dropout between the layers"
                )
        if "keras" in (self.running_engine, self.portable_engine):
            keras_layers.prepare(self.cell, self.direction == "backward")
        if self.stateful and not self._kept:
            self._kept = {
                training: [self._kept_state(size) for size in self.cell.state_size] for training in (True, False)
            }

    @property
    def weights(self) -> list[Any]:
        """Weights without the kept states.

        So `get_weights` and `set_weights` fit the same layer whether it is stateful or not.
        """
        kept = {id(variable) for states in self._kept.values() for variable in states}
        return [weight for weight in super().weights if id(weight) not in kept]

    def _kept_state(self, size: int) -> Any:
        """Creates the variable that keeps a state of this width between calls."""
        return self.add_weight((self.max_batch, size), "zeros", trainable=False, name=state_rows.KEPT)

    def call(
        self,
        x: Any,
        mask: Any = None,
        initial_state: Sequence[Any] | None = None,
        reset: Any = None,
        return_sequences: bool = True,
        training: bool = False,
        projected: bool = False,
        tokens: Any = None,
        table: Any = None,
        time_gaps: Any = None,
        observed: Any = None,
    ) -> tuple[Any, list[Any]]:
        """Runs the cell over time.

        Args:
            x: Inputs, `(batch, time, features)`.
            mask: `(batch, time)`, true at valid steps; None: the implicit mask of `x`, or else all steps are
                valid.
            initial_state: A list of `(batch, units)`, one for each state of the cell; a stateful layer then
                neither reads nor writes its kept states. None: the kept states if stateful, else the initial
                state of the cell.
            reset: Flags `(batch,)`, true for rows that start from the initial state of the cell.
            return_sequences: Whether to return outputs of all steps, not only of the last valid one (for
                `"backward"` the first).
            training: Whether dropout is applied; also selects which kept states are used.
            projected: Whether `x` is `Cell.project` of the inputs, `(batch, time, width)`; runs on the engine
                `loop`.
            tokens: Token numbers, `(batch, time)`, if `x` is `table[tokens]`: the engine `native` then projects
                each distinct row of the table once. Gradients flow to the table, not to `x`.
            table: Embedding table, `(vocabulary, features)`; needed with `tokens`.
            time_gaps: Time between each step and the one before it in the sequence, `(batch, time)`, at least
                0, for time-aware cells (`Cell.uses_gaps`). The first is the time since the initial state.
                Gaps of masked steps add up to that of the next valid step; masked steps after the last valid
                one are not counted, neither in this call nor in the next. For `"backward"` the gap of a step
                is that to the later step, which is read before it; the step that is read first has 0. None:
                1 at every valid step.
            observed: Observation mask, `(batch, time, features)`, true where a value was observed, for cells
                that use it (`Cell.uses_observed`). Other values are not read and may be NaN. None: all are
                observed.

        Returns:
            Outputs, `(batch, time, units)` or `(batch, units)`, and the list of final states, each
            `(batch, units)`.

        Raises:
            ValueError: The input, the mask or a state has a wrong shape.
            ConfigError: The cell does not use `time_gaps` or `observed`, but it is given.
        """
        self._check(x, mask, initial_state, reset)
        check_shapes(x, time_gaps, observed)
        if not projected:
            x = self.joined(x, mask, time_gaps, observed)
        start = self._start(x, initial_state, reset, training)
        outputs, final = self.run_loop(x, start, mask, return_sequences, training, projected, tokens, table)
        recorded = not training and recording.recorder() is not None
        if self.stateful and initial_state is None and not recorded:
            for kept, state in zip(self._kept[bool(training)], final, strict=True):
                state_rows.write(kept, state)
        return outputs, final

    def run_loop(
        self,
        x: Any,
        states: Sequence[Any],
        mask: Any,
        return_sequences: bool,
        training: bool,
        projected: bool = False,
        tokens: Any = None,
        table: Any = None,
    ) -> tuple[Any, list[Any]]:
        """Runs the cell over time from given states, with dropout and zoneout in training.

        `x` is the result of `joined`. The arguments and results are those of `call`.
        """
        recorder = None if training else recording.recorder()
        shifted = recorder is not None and recorder.shifts is not None
        engine = "loop" if projected or shifted else self._engine(x)
        inputs = LoopInputs(
            x,
            states,
            mask,
            self.direction == "backward",
            return_sequences,
            self._dropout_mask(ops.shape(x)[0], training),
            self._zoneout(x, training),
            projected,
        )
        if engine == "native" and tokens is not None:
            inputs = dataclasses.replace(inputs, x=table, tokens=tokens)
        if recorder is not None:
            outputs, final = recorder.run(self, engine, inputs)
            return (outputs if return_sequences else self._last(outputs, inputs)), final
        with self._dropped_weights(training):
            return engines.ENGINES[engine].run(self.cell, inputs)

    def call_beside(
        self,
        other: Recurrent,
        x: Any,
        mask: Any = None,
        initial_states: Sequence[Sequence[Any] | None] = (None, None),
        reset: Any = None,
        return_sequences: bool = True,
        training: bool = False,
        tokens: Any = None,
        table: Any = None,
        time_gaps: Any = None,
        observed: Any = None,
    ) -> list[tuple[Any, list[Any]]]:
        """Runs this layer and another over the same inputs, at the same time where the engine can.

        Used for the two directions of a bidirectional layer. The arguments that are not listed are those
        of `call`.

        Args:
            other: The other layer.
            initial_states: Initial states of this layer and of the other; None: see `call`.

        Returns:
            The results of `call` of this layer and of the other.
        """
        both = (self, other)
        if any(layer._engine(x) != "native" for layer in both) or (not training and recording.recorder() is not None):
            arguments = {"mask": mask, "reset": reset, "return_sequences": return_sequences, "training": training}
            arguments |= {"time_gaps": time_gaps, "observed": observed}
            return [
                layer(x, initial_state=start, **arguments) for layer, start in zip(both, initial_states, strict=True)
            ]
        calls = []
        for layer, states in zip(both, initial_states, strict=True):
            layer._check(x, mask, states, reset)
            start = layer._start(x, states, reset, training)
            rows = x if tokens is None else table
            inputs = LoopInputs(rows, start, mask, layer.direction == "backward", return_sequences, tokens=tokens)
            calls.append((layer.cell, inputs))
        with self._dropped_weights(training), other._dropped_weights(training):
            return native.run_together(calls)

    def _engine(self, x: Any) -> str:
        """Returns the name of the engine that runs a call on `x`."""
        # The plain loop has the least overhead for a single step, as in generation.
        name = "loop" if x.shape[1] == 1 else self.running_engine
        return self.portable_engine if name == "native" and native.cannot_embed_in_graph() else name

    def joined(self, x: Any, mask: Any, time_gaps: Any, observed: Any) -> Any:
        """Returns the inputs as `Cell.project` takes them, `(batch, time, width)`."""
        if time_gaps is not None:
            time_gaps = elapsed(ops.cast(time_gaps, x.dtype), mask, self.direction == "backward")
        return self.cell.join_inputs(without_missing(x, observed), time_gaps, observed)

    def _start(self, x: Any, initial_state: Sequence[Any] | None, reset: Any, training: bool) -> list[Any]:
        """Returns the states before the first step."""
        batch = ops.shape(x)[0]
        fresh = self.cell.get_initial_state(batch)
        states = list(initial_state) if initial_state is not None else fresh
        if self.stateful and initial_state is None:
            states = [state_rows.read(kept, batch) for kept in self._kept[bool(training)]]
        states = [ops.cast(state, self.compute_dtype) for state in states]
        if reset is None:
            return states
        rows = ops.expand_dims(ops.cast(reset, "bool"), -1)
        return [ops.where(rows, new, old) for new, old in zip(fresh, states, strict=True)]

    def _last(self, outputs: Any, inputs: LoopInputs) -> Any:
        """Returns the outputs of the step at which the direction ends, `(batch, units)`."""
        end = first_valid_step if inputs.reverse else last_valid_step
        return end(outputs, inputs.mask)

    def _dropped_weights(self, training: bool) -> AbstractContextManager[Any]:
        """Context in which `weight_drop` is applied to the recurrent weights."""
        return self.cell.weight_drop(self._drop) if self.weight_drop and training else nullcontext()

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> tuple[Any, list[None]]:
        """Returns the mask of the outputs, `(batch, time)`, and None for each state."""
        return previous_mask, [None] * len(self.cell.state_size)

    def check_arguments(self, arguments: dict[str, Any]) -> None:
        check_use(self.cell, arguments)

    def keeps_time(self, arguments: dict[str, Any]) -> bool:
        return bool(arguments.get("return_sequences", True))

    # Keras's models have no reset_state (keras#17440), and that of its stacked cells raises AttributeError.
    def reset_state(self, training: bool | None = None) -> None:
        """Resets the kept states of all rows to zero.

        Args:
            training: Which states to reset: those of training (True), of inference (False), or both (None).
        """
        for mode, kept in self._kept.items():
            if training is None or mode == training:
                for variable in kept:
                    variable.assign(ops.zeros(variable.shape, variable.dtype))

    def _dropout_mask(self, batch: Any, training: bool) -> Any:
        """Draws the mask of recurrent dropout, `(batch, width)`; None if it is not applied."""
        if not training or not self.recurrent_dropout:
            return None
        ones = ops.ones((batch, max(self.cell.units, *self.cell.state_size)), dtype=self.compute_dtype)
        return keras.random.dropout(ones, self.recurrent_dropout, seed=self.seed_generator)

    def _drop(self, weight: Any) -> Any:
        return keras.random.dropout(ops.convert_to_tensor(weight), self.weight_drop, seed=self.seed_generator)

    def _zoneout(self, x: Any, training: bool) -> Any:
        """Returns the zoneout rate, in training random masks `(batch, time, units)`, or None."""
        if not self.zoneout or not training:
            return self.zoneout or None
        shape, sizes = ops.shape(x)[:2], self.cell.state_size
        return [keras.random.uniform((*shape, n), seed=self.seed_generator) < self.zoneout for n in sizes]

    def _check(self, x: Any, mask: Any, initial_state: Sequence[Any] | None, reset: Any) -> None:
        """Raises ValueError if an argument of `call` has a wrong shape."""
        if len(x.shape) != 3:
            raise ValueError(f"the input has shape {tuple(x.shape)}; allowed: (batch, time, features); reshape it")
        if mask is not None:
            time, steps = x.shape[1], mask.shape[1] if len(mask.shape) == 2 else -1
            if len(mask.shape) != 2 or (None not in (time, steps) and time != steps):
                raise ValueError(
                    f"the mask has shape {tuple(mask.shape)}; allowed: (batch, time) = {tuple(x.shape[:2])}; reshape it"
                )
        arrays = {"mask": mask, "reset": reset} | {f"state {i}": s for i, s in enumerate(initial_state or ())}
        for name, array in arrays.items():
            if array is not None and None not in (x.shape[0], array.shape[0]) and x.shape[0] != array.shape[0]:
                raise ValueError(
                    f"the {name} has {array.shape[0]} rows; allowed: {x.shape[0]}, as the input has; pass one for "
                    "each row"
                )
        if initial_state is not None:
            sizes = [state.shape[-1] for state in initial_state]
            if sizes != self.cell.state_size:
                raise ValueError(
                    f"initial states have widths {sizes}; allowed: {self.cell.state_size}, as the cell has; pass "
                    "one tensor for each"
                )
        keeps = self.stateful and initial_state is None  # given states are neither read from nor written to the kept
        if keeps and isinstance(x.shape[0], int) and x.shape[0] > self.max_batch:
            raise ValueError(
                f"a batch of {x.shape[0]} rows; allowed: {self.max_batch} in this stateful layer; raise max_batch"
            )

    def save_own_variables(self, store: Any) -> None:
        """Saves nothing: kept states are not weights."""

    def load_own_variables(self, store: Any) -> None:
        """Loads nothing: kept states are not weights."""

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "cell": keras.saving.serialize_keras_object(self.cell),
            "direction": self.direction,
            "engine": "auto" if self.engine == "native" else self.engine,  # it may be loaded where `native` is missing
            "recurrent_dropout": self.recurrent_dropout,
            "weight_drop": self.weight_drop,
            "zoneout": self.zoneout,
            "stateful": self.stateful,
            "max_batch": self.max_batch,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Recurrent:
        cell = keras.saving.deserialize_keras_object(config["cell"])
        return cls(**{**config, "cell": cell})
