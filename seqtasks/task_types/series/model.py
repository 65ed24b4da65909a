"""Model of a series: scaled inputs, encoder, pooling, and logits of classes or a number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from seqtasks.data.series.batches import Inputs
from seqtasks.layers.encoder import Encoder
from seqtasks.layers.pooling import Pooling
from seqtasks.layers.speech import TimeReduction, joined_mask

# Names of layers, by which a saved model finds them again.
LOGITS, SCALED = "logits", "scaled"


@dataclass(frozen=True)
class Target:
    """What a model predicts.

    Attributes:
        classes: Number of classes; 0: a number.
        mean: Mean of the training targets, for a number.
        sd: Standard deviation of the training targets, for a number.
    """

    classes: int = 0
    mean: float = 0.0
    sd: float = 1.0


def series_inputs(inputs: Inputs) -> dict[str, keras.KerasTensor]:
    """The inputs of a model by name, as `Inputs.arrays` makes them."""
    made = {
        "steps": keras.Input((None, inputs.channels), name="steps"),
        "mask": keras.Input((None,), name="mask", dtype="bool"),
    }
    if inputs.measured:
        made["measured"] = keras.Input((None, len(inputs.measured)), name="measured")
    if inputs.irregular:
        made["time_gaps"] = keras.Input((None,), name="time_gaps")
    if inputs.scaling.static_mean:
        made["statics"] = keras.Input((len(inputs.scaling.static_mean),), name="statics")
    return made


def features(tensors: dict[str, Any], inputs: Inputs) -> Any:
    """The features of each step, (batch, time, size): scaled channels, then `measured`, then `time_gaps`."""
    scaling = inputs.scaling
    variance = np.square(scaling.sd).tolist()
    parts = [keras.layers.Normalization(mean=list(scaling.mean), variance=variance, name=SCALED)(tensors["steps"])]
    if inputs.measured:
        parts.append(tensors["measured"])
    if inputs.irregular:
        parts.append(keras.ops.expand_dims(tensors["time_gaps"], -1))
    return keras.layers.Concatenate(name="features")(parts) if len(parts) > 1 else parts[0]


def series_model(encoder: Encoder, inputs: Inputs, target: Target, join: int, options: Any, name: str) -> keras.Model:
    """Scaling, encoder, pooling over time, a dense layer.

    Args:
        encoder: Of the steps.
        inputs: What the batches have.
        target: What is predicted.
        join: Number of steps that become one time step.
        options: `SeriesOptions`.
        name: Of the model.

    Returns:
        A model of the inputs of `series_inputs` that gives logits (batch, classes), or a number in original units
        (batch, 1).
    """
    o = options
    tensors = series_inputs(inputs)
    x, mask = features(tensors, inputs), tensors["mask"]
    if o.noise:
        x = keras.layers.GaussianNoise(o.noise)(x)
    if join > 1:
        x, mask = TimeReduction(join)(x, mask=mask), joined_mask(mask, join)
    x, _ = encoder(x, mask=mask)
    x = Pooling(o.pooling, name="pooling")(x, mask=mask)
    if inputs.scaling.static_mean:
        scaling = inputs.scaling
        variance = np.square(scaling.static_sd).tolist()
        statics = keras.layers.Normalization(mean=list(scaling.static_mean), variance=variance)(tensors["statics"])
        x = keras.layers.Concatenate()([x, statics])
    x = keras.layers.Dropout(o.dropout)(x)
    if target.classes:
        outputs = keras.layers.Dense(target.classes, dtype="float32", name=LOGITS)(x)
    else:
        # Zeros: training begins at the mean of the targets, which few examples with little signal hardly beat.
        scaled = keras.layers.Dense(1, kernel_initializer="zeros", dtype="float32", name=LOGITS)(x)
        outputs = keras.layers.Rescaling(target.sd, target.mean, dtype="float32", name="number")(scaled)
    return keras.Model(list(tensors.values()), outputs, name=name)
