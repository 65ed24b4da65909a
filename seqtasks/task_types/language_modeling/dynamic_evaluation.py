"""Exact scores of a text, and dynamic evaluation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from seqtasks.core.arrays import FloatArray
from seqtasks.engines.backend.gradients import weight_gradients
from seqtasks.layers.metrics import language_scores


def total(batches: Any, measure: Callable[[list[Any], FloatArray], Any]) -> tuple[float, int]:
    """The negative log-likelihood of all targets, and how many there are.

    Args:
        batches: `BPTTBatches`.
        measure: of tokens, resets and targets, and of weights, 0 at padding: gives the
            negative log-likelihoods (rows, window).
    """
    nll, count = 0.0, 0
    for index in range(len(batches)):
        inputs, _, weights = batches[index]
        losses = np.asarray(measure([inputs["tokens"], inputs["reset"], inputs["targets"]], weights), np.float64)
        nll += float((losses * weights).sum())
        count += int(weights.sum())
    return nll, count


def dynamic_scores(
    model: keras.Model, batches: Any, rate: float, decay: float = 0.0, clip: float = 1.0
) -> dict[str, float]:
    """Dynamic evaluation: after each batch is scored, a step of gradient descent on it.

    θ ← θ - rate · g + decay · (θ₀ - θ), g clipped to a global norm. The trained weights θ₀
    are there again afterwards.

    Reference: Krause et al. 2017, https://arxiv.org/abs/1709.07432 (with plain gradients)

    Args:
        model: a language model.
        batches: `BPTTBatches`; fewer lanes learn sooner.
        rate: of learning.
        decay: toward the trained weights.
        clip: the largest norm.
    """
    weights = model.trainable_variables
    trained = [ops.copy(weight.value) for weight in weights]

    def loss(inputs: list[Any], real: Any) -> tuple[Any, Any]:
        nll = model(inputs, training=False)
        real = ops.cast(real, nll.dtype)
        return ops.sum(nll * real) / ops.maximum(ops.sum(real), 1.0), nll

    gradients = weight_gradients(loss, model)

    def learn(inputs: list[Any], real: Any) -> Any:
        nll, slopes = gradients(inputs, real)
        nll = ops.convert_to_numpy(nll)
        norm = ops.sqrt(sum(ops.sum(ops.square(slope)) for slope in map(ops.convert_to_tensor, slopes)))
        scale = rate * clip / ops.maximum(norm, clip)
        for weight, slope, first in zip(weights, slopes, trained, strict=True):
            now = ops.convert_to_tensor(weight.value)
            weight.assign(now - scale * ops.convert_to_tensor(slope) + decay * (first - now))
        return nll

    try:
        return language_scores(*total(batches, learn))
    finally:
        for weight, value in zip(weights, trained, strict=True):
            weight.assign(value)
