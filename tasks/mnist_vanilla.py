"""Handwritten digit classification by a perceptron, without recurrence.

A multilayer perceptron reads the whole image as one vector. Images and metric are those of `mnist_rows`, so the
results of both can be compared in one table:

    seqtasks table mnist_vanilla mnist_rows
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras

from seqtasks import register_task, setting
from seqtasks.layers import Encoder
from seqtasks.losses import SmoothedCrossentropy
from seqtasks.task_types import ImageTask


@dataclass(frozen=True)
class Options:
    """Options: hidden layers, dropout, augmentation and label smoothing."""

    hidden: tuple[int, ...] = setting((512, 256), "number of units of each hidden layer", affects_data=False)
    dropout: float = setting(0.3, "dropout rate on each hidden layer", ge=0, lt=1, affects_data=False)
    augment: bool = setting(False, "shift, rotate and scale training images at random", affects_data=False)
    label_smoothing: float = setting(
        0.0, "label smoothing: share of the target spread over all classes", ge=0, lt=1, affects_data=False
    )


@register_task("mnist_vanilla")
class MnistVanilla(ImageTask):
    """Handwritten digit classification by a perceptron, without recurrence."""

    topology = "one-to-one"
    metric = "accuracy"
    tfds = "mnist"
    builtin = "digits"
    uses_encoder = False
    Options = Options

    def build_model(self, encoder: Encoder) -> keras.Model:
        inputs, x = self.pixels(self.options.augment)
        x = keras.layers.Flatten()(x)
        for width in self.options.hidden:
            x = keras.layers.Dense(width, activation="relu")(x)
            x = keras.layers.Dropout(self.options.dropout)(x)
        logits = keras.layers.Dense(len(self.classes), dtype="float32", name="logits")(x)
        return keras.Model(inputs, logits, name=self.name)

    def loss(self) -> Any:
        return SmoothedCrossentropy(self.options.label_smoothing)
