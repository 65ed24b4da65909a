"""Saliency of the steps of a series: gradient times scaled input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from seqtasks.core.arrays import FloatArray, IntArray
from seqtasks.engines.backend.gradients import input_gradient
from seqtasks.task_types.series.model import SCALED


def gradient_times_input(model: keras.Model) -> Callable[[dict[str, np.ndarray], IntArray], FloatArray]:
    """How much each value speaks for an answer: the slope of its logit, less the mean of the others, times the value.

    The value is the scaled one: its distance to the training mean. Of a model that predicts a number the slope is
    that of the number.

    Reference: Shrikumar et al. 2016, https://arxiv.org/abs/1605.01713

    Args:
        model: Of `series_model`.

    Returns:
        A function of the inputs of a batch by name and class numbers (batch,), which a model of a number ignores; it
        gives (batch, time, channels), above zero where a value speaks for the class or for a higher number.
    """
    names = [tensor.name for tensor in model.inputs]
    scaled: Any = model.get_layer(SCALED)

    def margin(steps: Any, classes: Any, *others: Any) -> Any:
        outputs = model([steps, *others])
        if outputs.shape[-1] == 1:
            return ops.sum(outputs)
        one = ops.one_hot(classes, outputs.shape[-1])
        return ops.sum(outputs * (one - (1 - one) / (outputs.shape[-1] - 1)))

    slope = input_gradient(margin)
    assert names[0] == "steps"

    def products(arrays: dict[str, np.ndarray], classes: IntArray) -> FloatArray:
        steps = arrays["steps"]
        _, slopes = slope(steps, np.asarray(classes, np.int32), *(arrays[name] for name in names[1:]))
        away = steps - ops.convert_to_numpy(scaled.mean)  # (x - mean) / sd · d/d((x - mean) / sd) = (x - mean) · d/dx
        return np.where(arrays["mask"][..., None], ops.convert_to_numpy(slopes) * away, 0.0)

    return products
