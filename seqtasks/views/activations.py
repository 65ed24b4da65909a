"""States and gates of the recurrent layers of a model over a batch of sequences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.core.arrays import BoolArray, FloatArray
from seqtasks.core.errors import ConfigError
from seqtasks.engines import LoopInputs
from seqtasks.layers.encoder import Encoder
from seqtasks.layers.recording import Record, recording

MAIN = "encoder"  # name of the encoder that a task is given


@dataclass(frozen=True, eq=False)
class LayerStates:
    """States and gates of one recurrent layer, in one direction.

    Attributes:
        name: Name of the layer, such as `"layer 1"` or `"layer 2 backward"`.
        cell: Its cell.
        states: Each state after every step by its name, `(batch, time, size)`.
        gates: Each gate by its name, `(batch, time, size)`; empty if the cell declares none.
        valid: True at valid steps, `(batch, time)`.
        inputs: Arguments of its loop over time; None where the model has a loop of its own.
    """

    name: str
    cell: Cell
    states: Mapping[str, FloatArray]
    gates: Mapping[str, FloatArray]
    valid: BoolArray
    inputs: LoopInputs | None = None

    @property
    def joined(self) -> FloatArray:
        """All states, `(batch, time, sizes)`."""
        return np.concatenate(list(self.states.values()), axis=-1)


def activations(model: keras.Model, inputs: Any, gates: bool | str = True) -> list[LayerStates]:
    """Computes the states of all recurrent layers of the model's encoder.

    Each layer runs on its engine, so that `native` keeps its speed.

    Args:
        model: Model with an encoder of recurrent layers.
        inputs: Inputs of the model, an array or a dictionary by name.
        gates: Whether to return the gates, too; or the name of the one layer whose gates to return. Engine `native`
            keeps them anyway; on others those of a layer take about as long as its states.

    Returns:
        One entry for each layer and direction, in the order of the layers.

    Raises:
        ConfigError: The model has no recurrent layer that reads whole sequences.

    Example:
        >>> import keras
        >>> import numpy as np
        >>> from seqtasks.layers import Encoder
        >>> from seqtasks.views.activations import activations
        >>> x = keras.Input((None, 3))
        >>> model = keras.Model(x, Encoder(cell="lstm", units=4, name="encoder")(x)[0])
        >>> (layer,) = activations(model, np.zeros((2, 5, 3), "float32"))
        >>> layer.name, layer.states["c"].shape, layer.gates["forget"].shape
        ('layer 1', (2, 5, 4), (2, 5, 4))
    """
    names = layer_names(model)
    chosen = gates if isinstance(gates, bool) else {key for key, name in names.items() if name == gates}
    with recording(chosen) as records:
        model(ordered(model, inputs), training=False)
    merged: dict[int, list[Record]] = {}
    for record in records:
        if id(record.layer) in names:
            merged.setdefault(id(record.layer), []).append(record)
    if not merged:
        raise ConfigError(
            f"the model {model.name} ran no recurrent layer; allowed: models with an encoder of recurrent layers; "
            "look at a run of another task"
        )
    return [_layer(names[key], calls) for key, calls in merged.items()]


def layer_names(model: keras.Model) -> dict[int, str]:
    """Names of the recurrent layers of the model's main encoder, by `id`.

    The main encoder is the one that is named `encoder`: the model's layer of that name, not one inside another layer,
    such as a reader of characters, unless there is no other. Without one, every encoder counts.
    """
    encoders = [layer for layer in model._flatten_layers() if isinstance(layer, Encoder)]
    named = [encoder for encoder in encoders if encoder.name == MAIN]
    main = [layer for layer in model.layers if any(layer is encoder for encoder in named)] or named or encoders
    names = {}
    for encoder in main:
        of = "" if len(main) == 1 else f"{encoder.name} "
        for number, directions in enumerate(encoder.layers, start=1):
            for recurrent in directions:
                backward = " backward" if recurrent.direction == "backward" else ""
                names[id(recurrent)] = f"{of}layer {number}{backward}"
    return names


def ordered(model: keras.Model, inputs: Any) -> Any:
    """The inputs of a model in the structure that it was built with, from arrays by name."""
    if not isinstance(inputs, dict):
        return inputs
    arrays = [ops.convert_to_tensor(inputs[tensor.name]) for tensor in model.inputs]
    return arrays if len(arrays) > 1 else arrays[0]


def _layer(name: str, calls: list[Record]) -> LayerStates:
    """Joins the calls of a layer, of one step each where the model has a loop of its own."""
    first, cell = calls[0], calls[0].layer.cell

    def joined(parts: list[Any]) -> FloatArray:
        arrays = [np.asarray(ops.convert_to_numpy(part)) for part in parts]
        return arrays[0] if len(arrays) == 1 else np.concatenate(arrays, axis=1)

    states = {state: joined([call.states[k] for call in calls]) for k, state in enumerate(cell.states)}
    gates = {gate: joined([call.gates[gate] for call in calls]) for gate in first.gates}
    shape = next(iter(states.values())).shape[:2]
    masked = all(call.inputs.mask is not None for call in calls)
    valid = joined([call.inputs.mask for call in calls]).astype(bool) if masked else np.ones(shape, bool)
    return LayerStates(name, cell, states, gates, valid, first.inputs if len(calls) == 1 else None)
