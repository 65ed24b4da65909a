"""Recurrent layer: one cell over one sequence in one direction, with masks and states.

- All outputs and the final states are always there.
- A masked step copies the state through and its output is zero, on every engine; a row
  without a real step gives zeros and its initial state.
- State is an argument and a result: chunks with carried state equal the whole.
- The mask is an argument, or else the one that Keras attached to the input, see `MaskedLayer`.
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
from seqtasks.layers.implicit_mask import MaskedLayer

KEPT = "kept_state"  # name of the variables that keep states between batches


@keras.saving.register_keras_serializable("seqtasks")
class Recurrent(MaskedLayer):
    """Runs a cell over time.

    Args:
        cell: what to run.
        direction: `"forward"`, or `"backward"` from the last step to the first; the
            outputs keep the order of the inputs.
        engine: `"auto"`, `"native"`, `"keras"`, `"parallel"` or `"loop"`. Where a graph is exported, or
            compiled by XLA under TensorFlow, `native` gives way to another with the same weights.
        recurrent_dropout: rate of variational dropout on the state where it enters a
            recurrent product: one mask a row and call, never on the carried state
            (Gal & Ghahramani 2016, arXiv:1512.05287).
        weight_drop: rate of dropout on the recurrent matrices: one mask a call (Merity et
            al. 2017, arXiv:1708.02182).
        zoneout: probability that a state keeps its old value at a step; in inference
            their mean (Krueger et al. 2016, arXiv:1606.01305).
        stateful: start each call from the final states of the last one. Training and
            inference keep separate states, so that neither sees the other's.
        max_batch: the most rows whose state is kept.

    Raises:
        ConfigError: a stateful backward layer; an engine that cannot run the cell; dropout
            of recurrent matrices in a cell that has none.
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
        if direction not in ("forward", "backward"):
            raise ConfigError(f"direction is {direction!r}; allowed: forward, backward")
        if stateful and direction == "backward":
            raise ConfigError(
                "a backward layer cannot be stateful: its state comes from the future, and the next chunk "
                "lies on the other side; use stateful=False or direction='forward'"
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
            self.supports_jit = False  # Keras then does not compile a model of its own accord
        self.seed_generator = keras.random.SeedGenerator()
        self._kept: dict[bool, list[Any]] = {}

    def build(self, input_shape: Sequence[int | None]) -> None:
        if not self.cell.built:
            self.cell.build(input_shape)
            self.cell.built = True
        present = {
            "recurrent_dropout": any(weight.name.startswith("recurrent") for weight in self.cell.weights),
            "weight_drop": bool(self.cell.recurrent_weights()),
        }
        for what, something in present.items():
            if getattr(self, what) and not something:
                raise ConfigError(
                    f"{what} is {getattr(self, what)}, but {type(self.cell).__name__} has no recurrent weights for it; "
                    f"set {what}=0, or use dropout between the layers"
                )
        if "keras" in (self.running_engine, self.portable_engine):
            keras_layers.prepare(self.cell, self.direction == "backward")
        if self.stateful and not self._kept:
            self._kept = {training: [self._keep(size) for size in self.cell.state_size] for training in (True, False)}

    def _keep(self, size: int) -> Any:
        return self.add_weight((self.max_batch, size), "zeros", trainable=False, name=KEPT)

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
    ) -> tuple[Any, list[Any]]:
        """Runs over time.

        Args:
            x: (batch, time, features).
            mask: (batch, time), true at real steps; None: the mask that `x` carries, else all are real.
            initial_state: a list of (batch, units), one for each state of the cell; kept
                states are then neither read nor written. None: the kept states if
                stateful, else the cell's initial state.
            reset: (batch,), true for rows that start from the cell's initial state.
            return_sequences: false returns the output of the last real step only.
            training: dropout on; selects the kept states.
            projected: `x` is (batch, time, width), what `Cell.project` made of the inputs; on the engine `loop`.
            tokens: (batch, time), whole numbers, where `x` is `table[tokens]`: each row of the table that comes in
                the batch is then projected once, on the engine `native`. Gradients go to the table, not to `x`.
            table: (vocabulary, features); given with tokens.

        Returns:
            Outputs (batch, time, units), or (batch, units), and the list of final
            states (batch, units).

        Raises:
            ValueError: a mask or a state of the wrong shape.
        """
        self._check(x, mask, initial_state, reset)
        engine = "loop" if projected else self._engine(x)
        inputs = LoopInputs(
            x,
            self._start(x, initial_state, reset, training),
            mask,
            self.direction == "backward",
            return_sequences,
            self._dropout_mask(ops.shape(x)[0], training),
            self._zoneout(x, training),
            projected,
        )
        if engine == "native" and tokens is not None:
            inputs = dataclasses.replace(inputs, x=table, tokens=tokens)
        with self._dropped_weights(training):
            outputs, final = engines.ENGINES[engine].run(self.cell, inputs)
        if self.stateful and initial_state is None:
            for k, state in zip(self._kept[bool(training)], final, strict=True):
                # No gradient flows into the call before, on any backend.
                state = ops.stop_gradient(ops.cast(state, k.dtype))
                k.assign(ops.slice_update(ops.convert_to_tensor(k), (0, 0), state))
        return outputs, final

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
    ) -> list[tuple[Any, list[Any]]]:
        """Runs over time beside another layer over the same inputs, at once where the engine can: the other direction.

        Args:
            other: the other layer.
            initial_states: of this layer and of the other.

        The other arguments, and the two results, are those of `call`.
        """
        both = (self, other)
        if any(layer._engine(x) != "native" for layer in both):
            arguments = {"mask": mask, "reset": reset, "return_sequences": return_sequences, "training": training}
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
        """Which engine runs a call."""
        # One step, as in generation, needs none of what an engine does for a sequence.
        name = "loop" if x.shape[1] == 1 else self.running_engine
        return self.portable_engine if name == "native" and native.cannot_embed_in_graph() else name

    def _start(self, x: Any, initial_state: Sequence[Any] | None, reset: Any, training: bool) -> list[Any]:
        """The states before the first step."""
        batch = ops.shape(x)[0]
        fresh = self.cell.get_initial_state(batch)
        states = list(initial_state) if initial_state is not None else fresh
        if self.stateful and initial_state is None:
            kept = self._kept[bool(training)]
            states = [ops.slice(ops.convert_to_tensor(k), (0, 0), (batch, k.shape[1])) for k in kept]
        states = [ops.cast(state, self.compute_dtype) for state in states]
        if reset is None:
            return states
        rows = ops.expand_dims(ops.cast(reset, "bool"), -1)
        return [ops.where(rows, new, old) for new, old in zip(fresh, states, strict=True)]

    def _dropped_weights(self, training: bool) -> AbstractContextManager[Any]:
        return self.cell.weight_drop(self._drop) if self.weight_drop and training else nullcontext()

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> tuple[Any, list[None]]:
        """The masks of outputs (batch, time, units), and of the states, which have none."""
        return previous_mask, [None] * len(self.cell.state_size)

    def keeps_time(self, arguments: dict[str, Any]) -> bool:
        return bool(arguments.get("return_sequences", True))

    # Keras's models have no reset_state (keras#17440); those of its stacked cells raise AttributeError.
    def reset_state(self, training: bool | None = None) -> None:
        """Forgets the kept states of all rows, of training, inference or (None) both."""
        for mode, kept in self._kept.items():
            if training is None or mode == training:
                for variable in kept:
                    variable.assign(ops.zeros_like(variable))

    def _dropout_mask(self, batch: Any, training: bool) -> Any:
        if not training or not self.recurrent_dropout:
            return None
        ones = ops.ones((batch, max(self.cell.units, *self.cell.state_size)), dtype=self.compute_dtype)
        return keras.random.dropout(ones, self.recurrent_dropout, seed=self.seed_generator)

    def _drop(self, weight: Any) -> Any:
        return keras.random.dropout(ops.convert_to_tensor(weight), self.weight_drop, seed=self.seed_generator)

    def _zoneout(self, x: Any, training: bool) -> Any:
        if not self.zoneout or not training:
            return self.zoneout or None
        shape, sizes = ops.shape(x)[:2], self.cell.state_size
        return [keras.random.uniform((*shape, n), seed=self.seed_generator) < self.zoneout for n in sizes]

    def _check(self, x: Any, mask: Any, initial_state: Sequence[Any] | None, reset: Any) -> None:
        if len(x.shape) != 3:
            raise ValueError(f"the input has shape {tuple(x.shape)}; allowed: (batch, time, features)")
        if mask is not None:
            time, steps = x.shape[1], mask.shape[1] if len(mask.shape) == 2 else -1
            if len(mask.shape) != 2 or (None not in (time, steps) and time != steps):
                raise ValueError(
                    f"the mask has shape {tuple(mask.shape)}; allowed: (batch, time) = {tuple(x.shape[:2])}"
                )
        arrays = {"mask": mask, "reset": reset} | {f"state {i}": s for i, s in enumerate(initial_state or ())}
        for what, array in arrays.items():
            if array is not None and None not in (x.shape[0], array.shape[0]) and x.shape[0] != array.shape[0]:
                raise ValueError(f"the {what} has {array.shape[0]} rows; the input has {x.shape[0]}")
        if initial_state is not None:
            sizes = [state.shape[-1] for state in initial_state]
            if sizes != self.cell.state_size:
                raise ValueError(f"initial states have widths {sizes}; the cell needs {self.cell.state_size}")
        if self.stateful and x.shape[0] is not None and x.shape[0] > self.max_batch:
            raise ValueError(f"a batch of {x.shape[0]} rows, but state is kept for {self.max_batch}; raise max_batch")

    def save_own_variables(self, store: Any) -> None:
        """Nothing: kept states are not weights."""

    def load_own_variables(self, store: Any) -> None:
        """Nothing: kept states are not weights."""

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "cell": keras.saving.serialize_keras_object(self.cell),
            "direction": self.direction,
            "engine": "auto" if self.engine == "native" else self.engine,  # what is loaded may run elsewhere
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
