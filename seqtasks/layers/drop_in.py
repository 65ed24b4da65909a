"""Keras's recurrent layers with their loop on the engines of seqtasks: `LSTM`, `GRU` and `SimpleRNN`.

Each is a subclass of the layer of Keras, so arguments, weights, masks, states and wrappers are those of Keras.
"""

from __future__ import annotations

import contextlib
import functools
import warnings
from collections.abc import Iterator
from typing import Any

import keras
from keras import ops
from keras.src.backend import AutocastScope as AutocastScope

from seqtasks.core.errors import ConfigError
from seqtasks.engines import LoopInputs, native
from seqtasks.engines.backend.devices import gpus
from seqtasks.engines.backend.masking import keras_order, zeros_where_empty
from seqtasks.engines.native import keras_cells
from seqtasks.layers.implicit_mask import dense, get_keras_mask, warn_if_mask_lost

ENGINES = ("auto", "native", "keras")


class KerasLoop(keras.layers.Layer):
    """Base class, beside a recurrent layer of Keras, that runs its loop over time natively where it can.

    It also corrects what Keras's layers have wrong: `reset_state` with nested states, and arguments that are not saved.
    """

    engine: str
    cell: Any
    go_backwards: bool
    return_sequences: bool
    return_state: bool
    zero_output_for_mask: bool
    states: Any

    def set_engine(self, engine: str) -> None:
        """Sets the engine of the loop.

        Args:
            engine: `"auto"`, `"native"` or `"keras"`.

        Raises:
            ConfigError: There is no such engine, or it cannot run the layer.
        """
        if engine not in ENGINES:
            raise ConfigError(f"engine is {engine!r}; allowed: {', '.join(ENGINES)}; choose one of them")
        reason = self.keras_reason()
        if engine == "native" and reason is not None:
            raise ConfigError(f"engine='native' cannot run this layer: {reason}; allowed: keras, auto; choose auto")
        self.engine = engine
        self.supports_masking = True  # Keras 3.16 sets False (keras#23235)
        if self.running_engine == "native" and not native.under_xla():
            self.supports_jit = False  # Keras's default, jit_compile="auto", then does not use XLA

    @property
    def running_engine(self) -> str:
        """Engine that runs the loop: `"native"` or `"keras"`.

        Where a graph is exported or compiled by XLA under TensorFlow, and in training with `recurrent_dropout`, the
        loop of Keras runs in place of `native`.
        """
        return self.engine_of_keras_cells()

    def engine_of_keras_cells(self) -> str:
        """Returns the engine that runs cells of Keras: `"native"` or `"keras"`."""
        on_gpu = self.engine == "auto" and gpus()
        return "keras" if self.engine == "keras" or on_gpu or self.keras_reason() else "native"

    def keras_reason(self) -> str | None:
        """Returns why the loop of Keras runs this layer on a CPU, or None if the native one can."""
        if getattr(self, "use_cudnn", "auto") is True:
            return "use_cudnn=True asks for cuDNN"
        return keras_cells.unsupported_reason(self.cell)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("mask") is None and args[2:] == ():
            first = args[0] if args else kwargs.get("sequences")
            if args[1:] or kwargs.get("initial_state") is not None:
                warn_of_unread_mask(self, first)
            if isinstance(first, keras.KerasTensor):
                warn_if_mask_lost(self, first)
        return super().__call__(*args, **kwargs)

    def inner_loop(self, sequences: Any, initial_state: Any, mask: Any, training: bool = False) -> Any:
        """Runs the loop over time, as Keras's layers do.

        Returns:
            The last output, `(batch, units)`; all outputs, `(batch, time, units)`, in the order of computation; and
            the list of final states.
        """
        mask = plain_mask(mask)
        if not self.runs_natively(self.cell, training):
            return self._keras_loop(sequences, initial_state, mask, training)
        states = keras.tree.flatten(initial_state)
        inputs = self.inputs_of(self.cell, sequences, states, mask, training, self.return_sequences)
        with AutocastScope(self.cell.compute_dtype):
            outputs, final = native.run(keras_cells.as_native(self.cell), inputs)
        if not self.return_sequences:
            return outputs, outputs[:, None], final
        outputs = keras_order(outputs, mask, self.go_backwards, self.zero_output_for_mask)
        return zeros_where_empty(final[0], mask), outputs, final

    def runs_natively(self, cell: Any, training: bool) -> bool:
        """Returns whether the native kernel runs a cell of Keras in a call."""
        return not (
            self.engine_of_keras_cells() == "keras"
            or (training and keras_cells.training_reason(cell))
            or native.cannot_embed_in_graph()
        )

    def inputs_of(
        self, cell: Any, x: Any, states: list[Any], mask: Any, training: bool, return_sequences: bool
    ) -> LoopInputs:
        """Returns the arguments of the native loop for a cell of Keras, with its dropout on the inputs."""
        x = ops.cast(x, cell.compute_dtype)
        if training and cell.dropout:
            x = x * ops.expand_dims(cell.get_dropout_mask(x[:, 0, :]), 1)
        return LoopInputs(x, states, mask, self.go_backwards, return_sequences)

    def _keras_loop(self, sequences: Any, initial_state: Any, mask: Any, training: bool) -> Any:
        """Runs Keras's loop over time."""
        # With `implementation=1` Keras's LSTM and GRU raise an error in training with dropout: they treat the list of
        # one mask for each gate, which their cells draw, as a tensor.
        base: Any = super()
        by_gate = training and bool(getattr(self.cell, "dropout", 0)) and getattr(self.cell, "implementation", 2) == 1
        loop = functools.partial(keras.layers.RNN.inner_loop, self) if by_gate else base.inner_loop
        with self._zeros_only_in_sequences():
            return loop(sequences=sequences, initial_state=initial_state, mask=mask, training=training)

    @contextlib.contextmanager
    def _zeros_only_in_sequences(self) -> Iterator[None]:
        """Context in which a layer that returns the last output does not replace it by zeros at a masked last step.

        Keras documents that `zero_output_for_mask` only applies to sequences, but applies it to the last output, too.
        """
        before = self.zero_output_for_mask
        self.zero_output_for_mask = before and self.return_sequences
        try:
            yield
        finally:
            self.zero_output_for_mask = before

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """Returns the mask of the outputs if they have a time axis, and None for each state."""
        mask = keras.tree.flatten(previous_mask)[0] if keras.tree.is_nested(previous_mask) else previous_mask
        mask = mask if self.return_sequences else None
        return [mask, *[None] * len(keras.tree.flatten(self.cell.state_size))] if self.return_state else mask

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        # Keras marks the symbolic result of `x * 2` as sparse, although it is dense when the model runs.
        args, kwargs = keras.tree.map_structure(dense, (args, kwargs))
        return super().compute_output_spec(*args, **kwargs)

    # Keras's method fails for the nested states of stacked cells.
    def reset_state(self) -> None:
        """Resets the states that a stateful layer keeps between calls to zero."""
        for variable in keras.tree.flatten(self.states):
            if variable is not None:
                variable.assign(ops.zeros(variable.shape, variable.dtype))

    def get_config(self) -> dict[str, Any]:
        config = {**super().get_config(), "engine": saved_engine(self.engine)}
        for name, owner in (("use_cudnn", self), ("implementation", self.cell)):  # Keras does not save these
            if hasattr(owner, name) and "cell" not in config:
                config[name] = getattr(owner, name)
        return config


def plain_mask(mask: Any) -> Any:
    """Returns a mask as `(batch, time)` or None; Keras also takes nested ones and `(batch, time, 1)`."""
    if keras.tree.is_nested(mask):
        mask = keras.tree.flatten(mask)[0]
    return mask[..., 0] if mask is not None and len(mask.shape) == 3 else mask


def saved_engine(engine: str) -> str:
    """Returns the engine to save for a layer, which may be loaded where `native` is missing."""
    return "auto" if engine == "native" else engine


def warn_of_unread_mask(layer: keras.layers.Layer, sequences: Any) -> None:
    """Warns if Keras will ignore the implicit mask of a layer's input because the call also has initial states.

    Keras reads an implicit mask only of calls with a single tensor.
    """
    if get_keras_mask(sequences) is not None:
        warnings.warn(
            f"Layer '{layer.name}' (of type {type(layer).__name__}) receives an initial state, and Keras then ignores "
            "the implicit mask of its input, so padding is read as data. Pass the mask as an argument: "
            "mask=embedding.compute_mask(tokens).",
            stacklevel=3,
        )


@keras.saving.register_keras_serializable("seqtasks")
class LSTM(KerasLoop, keras.layers.LSTM):
    """LSTM layer in place of `keras.layers.LSTM`, faster on a CPU.

    Inputs are `(batch, time, features)`; outputs `(batch, units)`, or `(batch, time, units)` with `return_sequences`.

    Arguments, weights, outputs, masks and states are those of Keras's layer, also in `keras.layers.Bidirectional` and
    `TimeDistributed`, and weights can be exchanged between the two. As in Keras, outputs of masked steps repeat the
    last one unless `zero_output_for_mask=True`, and a stateful layer keeps its states between calls of one batch size.

    The native engine runs layers with the activations tanh and sigmoid in float32, all others run as in Keras.
    Differences to Keras: `use_cudnn` and `implementation` are saved with the model.

    Args:
        units: Number of hidden units.
        *args: Further arguments of `keras.layers.LSTM`, in its order.
        engine: `"auto"`, `"native"` or `"keras"`, Keras's own loop.
        **kwargs: Arguments of `keras.layers.LSTM`.

    Attributes:
        running_engine: Engine that runs the loop over time.

    Raises:
        ConfigError: The engine is not one of those, or `"native"` cannot run the layer.

    Example:
        >>> import keras, numpy as np
        >>> from seqtasks.layers import LSTM
        >>> x = np.zeros((2, 5, 3), "float32")
        >>> tuple(LSTM(4)(x).shape)
        (2, 4)
        >>> tuple(keras.layers.Bidirectional(LSTM(4, return_sequences=True))(x).shape)
        (2, 5, 8)
    """

    def __init__(self, units: int, *args: Any, engine: str = "auto", **kwargs: Any):
        super().__init__(units, *args, **kwargs)
        self.set_engine(engine)


@keras.saving.register_keras_serializable("seqtasks")
class GRU(KerasLoop, keras.layers.GRU):
    """GRU layer in place of `keras.layers.GRU`, faster on a CPU.

    Inputs are `(batch, time, features)`; outputs `(batch, units)`, or `(batch, time, units)` with `return_sequences`.

    Arguments, weights, outputs, masks and states are those of Keras's layer, see `LSTM`. The native engine runs both
    values of `reset_after`.

    Args:
        units: Number of hidden units.
        *args: Further arguments of `keras.layers.GRU`, in its order.
        engine: `"auto"`, `"native"` or `"keras"`, Keras's own loop.
        **kwargs: Arguments of `keras.layers.GRU`.

    Attributes:
        running_engine: Engine that runs the loop over time.

    Raises:
        ConfigError: The engine is not one of those, or `"native"` cannot run the layer.

    Example:
        >>> import numpy as np
        >>> from seqtasks.layers import GRU
        >>> outputs, state = GRU(4, return_sequences=True, return_state=True)(np.zeros((2, 5, 3), "float32"))
        >>> tuple(outputs.shape), tuple(state.shape)
        ((2, 5, 4), (2, 4))
    """

    def __init__(self, units: int, *args: Any, engine: str = "auto", **kwargs: Any):
        super().__init__(units, *args, **kwargs)
        self.set_engine(engine)


@keras.saving.register_keras_serializable("seqtasks")
class SimpleRNN(KerasLoop, keras.layers.SimpleRNN):
    """Simple RNN layer in place of `keras.layers.SimpleRNN`, faster on a CPU.

    Inputs are `(batch, time, features)`; outputs `(batch, units)`, or `(batch, time, units)` with `return_sequences`.

    Arguments, weights, outputs, masks and states are those of Keras's layer, see `LSTM`. The native engine runs the
    activation tanh.

    Args:
        units: Number of hidden units.
        *args: Further arguments of `keras.layers.SimpleRNN`, in its order.
        engine: `"auto"`, `"native"` or `"keras"`, Keras's own loop.
        **kwargs: Arguments of `keras.layers.SimpleRNN`.

    Attributes:
        running_engine: Engine that runs the loop over time.

    Raises:
        ConfigError: The engine is not one of those, or `"native"` cannot run the layer.

    Example:
        >>> import numpy as np
        >>> from seqtasks.layers import SimpleRNN
        >>> tuple(SimpleRNN(4)(np.zeros((2, 5, 3), "float32")).shape)
        (2, 4)
    """

    def __init__(self, units: int, *args: Any, engine: str = "auto", **kwargs: Any):
        super().__init__(units, *args, **kwargs)
        self.set_engine(engine)
