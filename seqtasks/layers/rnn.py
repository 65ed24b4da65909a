"""RNN: any cell of seqtasks or Keras in the place of `keras.layers.RNN`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.core.errors import ConfigError
from seqtasks.engines import native
from seqtasks.engines.backend.masking import keras_order
from seqtasks.engines.native import keras_cells
from seqtasks.layers.drop_in import AutocastScope, KerasLoop, plain_mask, saved_engine
from seqtasks.layers.implicit_mask import get_keras_mask
from seqtasks.layers.recurrent import Recurrent
from seqtasks.layers.time_gaps import check_shapes, check_use

RATES = ("recurrent_dropout", "weight_drop", "zoneout")


@keras.saving.register_keras_serializable("seqtasks")
class RNN(KerasLoop, keras.layers.RNN):
    """Recurrent layer as `keras.layers.RNN`, for cells of seqtasks and of Keras.

    Masks, states and the order of outputs are those of Keras: outputs of masked steps repeat the last one unless
    `zero_output_for_mask=True`, `go_backwards` reverses the outputs, and a stateful layer keeps its states between
    calls of one batch size. So it works in `keras.layers.Bidirectional` and `TimeDistributed`. `Recurrent` always
    returns outputs and states, and its states may be kept for any batch size.

    Args:
        cell: A recurrent cell of `seqtasks.cells` or of Keras, or a list of cells, which are stacked.
        return_sequences: Whether to return the outputs of all steps, not only of the last valid one.
        return_state: Whether to also return the final states.
        go_backwards: Whether to run from the last step to the first; outputs are then in this order.
        stateful: Whether each call starts from the final states of the call before.
        unroll: Whether Keras's loop is unrolled, where it runs.
        zero_output_for_mask: Whether outputs of masked steps are zero, for `return_sequences=True`.
        engine: Engine of cells of seqtasks as in `Recurrent`; for cells of Keras `"auto"`, `"native"` or `"keras"`.
        direction: `"backward"` is `go_backwards=True` with the outputs in the order of the inputs.
        recurrent_dropout: Rate of dropout on the state in recurrent products, see `Recurrent`.
        weight_drop: Rate of dropout on recurrent matrices, see `Recurrent`.
        zoneout: Probability that a unit of a state keeps its old value, see `Recurrent`.
        **kwargs: Arguments of `keras.layers.Layer`, such as `name` and `dtype`.

    Attributes:
        running_engine: Engine that runs the loop over time; joined by "+" if there are several.

    Raises:
        ConfigError: As `Recurrent`; or a rate is set for a cell of Keras.
        TypeError: `max_batch` is given, an argument of `Recurrent`.
        ValueError: The cell has no `call` or `state_size`.

    Example:
        >>> import keras, numpy as np
        >>> from seqtasks.cells import MGU
        >>> from seqtasks.layers import RNN
        >>> x = np.zeros((2, 5, 3), "float32")
        >>> tuple(RNN(MGU(4))(x).shape)
        (2, 4)
        >>> outputs, state = RNN(MGU(4), return_sequences=True, return_state=True)(x)
        >>> tuple(outputs.shape), tuple(state.shape)
        ((2, 5, 4), (2, 4))
        >>> tuple(keras.layers.Bidirectional(RNN(MGU(4)))(x).shape)
        (2, 8)
    """

    def __init__(
        self,
        cell: Any,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        zero_output_for_mask: bool = False,
        *,
        engine: str = "auto",
        direction: str = "forward",
        recurrent_dropout: float = 0.0,
        weight_drop: float = 0.0,
        zoneout: float = 0.0,
        **kwargs: Any,
    ):
        if "max_batch" in kwargs:
            raise TypeError(
                f"RNN has no argument max_batch={kwargs['max_batch']!r}; allowed: those of keras.layers.RNN, whose "
                "states are of one batch size; leave it out, or use seqtasks.layers.Recurrent"
            )
        if direction not in ("forward", "backward"):
            raise ConfigError(f"direction is {direction!r}; allowed: forward, backward; choose one of them")
        if direction == "backward" and go_backwards:
            raise ConfigError("both go_backwards=True and direction='backward'; allowed: one of them; leave one out")
        super().__init__(
            cell,
            return_sequences=return_sequences,
            return_state=return_state,
            go_backwards=go_backwards,
            stateful=stateful,
            unroll=unroll,
            zero_output_for_mask=zero_output_for_mask,
            **kwargs,
        )
        self.set_defaults()
        self.direction = direction
        self.recurrent_dropout, self.weight_drop, self.zoneout = recurrent_dropout, weight_drop, zoneout
        self.set_engine(engine)

    def set_defaults(self) -> None:
        """Sets the arguments that `keras.layers.RNN` does not have to their defaults."""
        self.direction = "forward"
        self.recurrent_dropout = self.weight_drop = self.zoneout = 0.0

    @property
    def cells(self) -> list[Any]:
        """The cells of the stack, or the single cell."""
        return list(self.cell.cells) if self.is_stack else [self.cell]

    @property
    def is_stack(self) -> bool:
        """Whether the cell is a stack of cells."""
        return isinstance(self.cell, keras.layers.StackedRNNCells)

    def set_engine(self, engine: str) -> None:
        """Sets the engine of the loop, see the class."""
        of_keras = [cell for cell in self.cells if not isinstance(cell, Cell)]
        for name, default in {**dict.fromkeys(RATES, 0.0), "direction": "forward"}.items():
            if of_keras and getattr(self, name) != default:
                raise ConfigError(
                    f"{name} is {getattr(self, name)!r} with {type(of_keras[0]).__name__}; allowed: cells of "
                    "seqtasks.cells; choose one of them, or use the arguments of Keras's cells and layers"
                )
        # Not tracked by Keras: the layer itself has the cells and the random generator.
        self.__dict__["_recurrents"] = [self._recurrent(cell, engine) for cell in self.cells]
        if of_keras:
            super().set_engine(engine)
            return
        self.seed_generator = keras.random.SeedGenerator()
        for recurrent in self._recurrents:
            recurrent.seed_generator = self.seed_generator
        self.engine, self.supports_masking = engine, True
        if "native" in self.running_engine and not native.under_xla():
            self.supports_jit = False  # Keras's default, jit_compile="auto", then does not use XLA

    def _recurrent(self, cell: Any, engine: str) -> Recurrent | None:
        """Returns the layer that runs a cell of seqtasks, or None for a cell of Keras."""
        if not isinstance(cell, Cell):
            return None
        rates = {name: getattr(self, name) for name in RATES}
        return Recurrent(
            cell, "backward" if self._reads_backward else "forward", engine, **rates, dtype=cell.dtype_policy
        )

    @property
    def _reads_backward(self) -> bool:
        return self.go_backwards or self.direction == "backward"

    @property
    def running_engine(self) -> str:
        """Engine that runs the loop over time; joined by "+" if there are several."""
        engines = {one.running_engine if one else self.engine_of_keras_cells() for one in self._recurrents}
        return "keras" if None in self._recurrents and "keras" in engines else "+".join(sorted(engines))

    def keras_reason(self) -> str | None:
        """Returns why the loop of Keras runs cells of Keras, or None if the native one can."""
        reasons = (keras_cells.unsupported_reason(cell) for cell in self.cells if not isinstance(cell, Cell))
        return next(filter(None, reasons), None)

    def build(self, sequences_shape: Sequence[int | None], initial_state_shape: Any = None) -> None:
        if not self.is_stack and self._recurrents[0]:
            self._recurrents[0].build(sequences_shape)
            self.state_size = list(self.cell.state_size)  # of GRUD, only known now
        super().build(sequences_shape, initial_state_shape)
        for recurrent, cell in zip(self._recurrents, self.cells, strict=True):
            if recurrent and not recurrent.built:
                recurrent.build((*sequences_shape[:2], None))  # checks the rates; the cell is built
                recurrent.built = cell.built = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        names = ("sequences", "initial_state", "mask", "training", "time_gaps", "observed")
        arguments = dict(zip(names, args, strict=False)) | kwargs
        gaps = {name: arguments.get(name) for name in names[4:]}
        if any(value is not None for value in gaps.values()):
            if not isinstance(self.cell, Cell):
                raise ConfigError(
                    f"time_gaps or observed with {type(self.cell).__name__}; allowed: one time-aware cell of "
                    "seqtasks.cells; choose one, or use Encoder for several layers"
                )
            check_use(self.cell, gaps)
            first = arguments.get("sequences")
            if arguments.get("mask") is None and arguments.get("initial_state") is None:
                implicit = None if isinstance(first, keras.KerasTensor) else get_keras_mask(first)
                if implicit is not None:  # Keras only reads it of calls with a single tensor
                    kwargs["mask"] = implicit
        return super().__call__(*args, **kwargs)

    def call(
        self,
        sequences: Any,
        initial_state: Any = None,
        mask: Any = None,
        training: bool = False,
        time_gaps: Any = None,
        observed: Any = None,
    ) -> Any:
        """Runs the cell over time.

        Args:
            sequences: Inputs, `(batch, time, features)`.
            initial_state: One tensor, `(batch, units)`, for each state of the cell, or a single one; None: the
                kept states if stateful, else the initial state of the cell.
            mask: `(batch, time)`, true at valid steps; None: all steps are valid. Without an initial state, Keras
                passes the implicit mask of the inputs.
            training: Whether dropout is applied.
            time_gaps: Time between each step and the one before it, `(batch, time)`, see `Recurrent.call`.
            observed: Observation mask, `(batch, time, features)`, see `Recurrent.call`.

        Returns:
            Outputs, `(batch, time, units)`, or `(batch, units)` without `return_sequences`. With `return_state`
            a tuple of the outputs and each final state, `(batch, units)`.
        """
        if isinstance(self.cell, Cell):
            check_shapes(sequences, time_gaps, observed)
            sequences = self._recurrents[0].joined(sequences, mask, time_gaps, observed)
        return super().call(sequences, initial_state=initial_state, mask=mask, training=training)

    def inner_loop(self, sequences: Any, initial_state: Any, mask: Any, training: bool = False) -> Any:
        """Runs the loop over time, see `KerasLoop.inner_loop`."""
        mask = plain_mask(mask)
        of_keras = [cell for cell in self.cells if not isinstance(cell, Cell)]
        if not all(self.runs_natively(cell, training) for cell in of_keras):
            return self._keras_loop(sequences, initial_state, mask, training)
        starts = initial_state if self.is_stack else [initial_state]
        outputs, finals = sequences, []
        for i, (cell, recurrent, start) in enumerate(zip(self.cells, self._recurrents, starts, strict=True)):
            returns_all = self.return_sequences or i + 1 < len(self.cells)
            states = keras.tree.flatten(start)
            with AutocastScope(cell.compute_dtype):  # the layer and its cells may have different dtypes
                if recurrent:
                    x = ops.cast(outputs, cell.compute_dtype)
                    x = recurrent.joined(x, mask, None, None) if self.is_stack else x
                    outputs, final = recurrent.run_loop(x, states, mask, returns_all, training)
                else:
                    inputs = self.inputs_of(cell, outputs, states, mask, training, returns_all)
                    outputs, final = native.run(keras_cells.as_native(cell), inputs)
            finals.append(final if keras.tree.is_nested(start) else final[0])
        final = finals if len(finals) > 1 else keras.tree.flatten(finals)  # also of a stack of one cell, as in Keras
        if not self.return_sequences:
            return outputs, outputs[:, None], final
        outputs = keras_order(outputs, mask, self._reads_backward, self.zero_output_for_mask)
        if self.direction == "backward":
            outputs = ops.flip(outputs, axis=1)
        return outputs[:, -1], outputs, final

    def get_config(self) -> dict[str, Any]:
        rates = {name: getattr(self, name) for name in RATES}
        return {**super().get_config(), "engine": saved_engine(self.engine), "direction": self.direction, **rates}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> RNN:
        if "max_batch" in config:  # saved by seqtasks 0.2, where outputs of masked steps were zero
            config = {key: value for key, value in config.items() if key != "max_batch"}
            config["zero_output_for_mask"] = True
        return super().from_config(config, custom_objects=custom_objects)
