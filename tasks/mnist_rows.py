"""Handwritten digit classification, row by row.

A 28×28 image is a sequence of 28 steps of 28 features, from the top row to the bottom row:

    step  8   ········▒███▒·······        0, …, 0, 84, 185, 159, 0, …, 0
    step 14   ··········▒██········   →  label 7
    step 20   ·······▒██▒··········

With `options.pixels=true` the sequence has 784 steps of one pixel; `options.permute=true` permutes the steps in a
fixed random order. Both are usual tests of long memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras

from seqtasks import register_task, setting
from seqtasks.layers import Encoder, PermuteTime
from seqtasks.losses import SmoothedCrossentropy
from seqtasks.task_types import ImageTask


@dataclass(frozen=True)
class Options:
    """Options: conversion of an image to a sequence, augmentation and label smoothing."""

    pixels: bool = setting(False, "read one pixel at each time step instead of one row", affects_data=False)
    permute: bool = setting(False, "permute the time steps in a fixed random order", affects_data=False)
    augment: bool = setting(False, "shift, rotate and scale training images at random", affects_data=False)
    label_smoothing: float = setting(
        0.0, "label smoothing: share of the target spread over all classes", ge=0, lt=1, affects_data=False
    )


@register_task("mnist_rows")
class MnistRows(ImageTask):
    """Handwritten digit classification, row by row."""

    topology = "many-to-one"
    metric = "accuracy"
    tfds = "mnist"
    builtin = "digits"
    Options = Options

    @property
    def step_inputs(self) -> tuple[str, ...]:
        return () if self.options.pixels or self.options.permute else ("image",)

    def build_model(self, encoder: Encoder) -> keras.Model:
        inputs, x = self.pixels(self.options.augment)
        steps = self.shape[0]
        if self.options.pixels:
            steps = self.shape[0] * self.shape[1]
            x = keras.layers.Reshape((steps, 1))(x)
        if self.options.permute:
            x = PermuteTime.random(steps, seed=0)(x)
        last, _ = encoder(x, return_sequences=False)
        logits = keras.layers.Dense(len(self.classes), dtype="float32", name="logits")(last)
        return keras.Model(inputs, logits, name=self.name)

    def loss(self) -> Any:
        return SmoothedCrossentropy(self.options.label_smoothing)
