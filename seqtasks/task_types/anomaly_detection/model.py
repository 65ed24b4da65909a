"""Models of normal series: prediction of the next steps, and a sequence autoencoder."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from seqtasks.data.series.batches import Inputs
from seqtasks.layers.calibration import Calibration
from seqtasks.layers.encoder import Encoder
from seqtasks.task_types.series.model import SCALED, features, series_inputs

# Names of layers, by which a saved model finds them again.
FEATURES, HEAD, CALIBRATION = "read", "head", "calibration"


def prediction_model(encoder: Encoder, inputs: Inputs, horizon: int, options: Any, name: str) -> keras.Model:
    """Scaled inputs, encoder, and a dense layer that predicts how the next steps differ from the present one.

    Args:
        encoder: Reads the steps.
        inputs: What the batches have.
        horizon: Number of next steps that are predicted at each step.
        options: `AnomalyOptions`.
        name: Of the model.

    Returns:
        A model that gives scaled values (batch, time, horizon · channels): at each step those of the next `horizon`
        steps, the nearest first.
    """
    tensors = series_inputs(inputs)
    x = keras.layers.Identity(name=FEATURES)(features(tensors, inputs))
    outputs, _ = encoder(x, mask=tensors["mask"])
    core = keras.Model(list(tensors.values()), x)
    present = core.get_layer(SCALED).output
    changes = keras.layers.Dense(horizon * inputs.channels, dtype="float32", name=HEAD)(
        keras.layers.Dropout(options.dropout)(outputs)
    )
    outputs = keras.layers.Add(dtype="float32")([changes, ops.tile(present, (1, 1, horizon))])
    outputs = Calibration(horizon * inputs.channels, dtype="float32", name=CALIBRATION)(outputs)
    return keras.Model(list(tensors.values()), outputs, name=name)


def with_states(model: keras.Model) -> tuple[keras.Model, list[Any]]:
    """A prediction model that also takes and returns the states of its encoder, with the same weights.

    Args:
        model: Of `prediction_model`.

    Returns:
        A model of the inputs and a tensor for each state, which gives the predictions and the final states; and the
        shapes of the states without the batch axis.
    """
    encoder, head = model.get_layer("encoder"), model.get_layer(HEAD)
    read = keras.Model(model.inputs, [model.get_layer(FEATURES).output, model.get_layer(SCALED).output])
    tensors = [keras.Input(tensor.shape[1:], name=tensor.name, dtype=tensor.dtype) for tensor in model.inputs]
    x, present = read(tensors)
    mask = next(tensor for tensor in tensors if tensor.name == "mask")
    initial = encoder.initial_state(1)
    states = [
        [
            keras.Input(state.shape[1:], name=f"state_{i}_{j}", dtype=keras.backend.standardize_dtype(state.dtype))
            for j, state in enumerate(layer)
        ]
        for i, layer in enumerate(initial)
    ]
    outputs, finals = encoder(x, mask=mask, initial_state=states)
    horizon = head.units // present.shape[-1]
    predicted = head(outputs) + ops.cast(ops.tile(present, (1, 1, horizon)), "float32")
    flat = [state for layer in states for state in layer]
    made = keras.Model([*tensors, *flat], [predicted, *[state for layer in finals for state in layer]])
    return made, [tuple(state.shape[1:]) for state in flat]


def rebuilding_model(encoder: Encoder, inputs: Inputs, window: int, options: Any, name: str) -> keras.Model:
    """Sequence autoencoder: an encoder's output at the last step, from which a second one rebuilds the window.

    The window is rebuilt from its end, as its last steps are the freshest in the encoder.

    Reference: Malhotra et al. 2016, https://arxiv.org/abs/1607.00148

    Args:
        encoder: Reads a window.
        inputs: What the batches have.
        window: Number of steps of a window; shorter ones are padded.
        options: `AnomalyOptions`.
        name: Of the model.

    Returns:
        A model that gives scaled values (batch, window, channels), the steps from the last valid one to the first,
        then those of padding.
    """
    tensors = series_inputs(inputs)
    x = keras.layers.Identity(name=FEATURES)(features(tensors, inputs))
    code, _ = encoder(x, mask=tensors["mask"], return_sequences=False)
    code = keras.layers.Dense(options.code, name="code")(code)
    x = keras.layers.RepeatVector(window)(keras.layers.Dropout(options.dropout)(code))
    decoder = Encoder(encoder.config, name="decoder")
    x, _ = decoder(x)
    outputs = keras.layers.Dense(inputs.channels, dtype="float32", name=HEAD)(x)
    outputs = Calibration(inputs.channels, dtype="float32", name=CALIBRATION)(outputs)
    return keras.Model(list(tensors.values()), outputs, name=name)
