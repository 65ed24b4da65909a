"""The score of a text: by a model as it is, or one that goes on learning from what it has scored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from seqtasks.errors import ConfigError
from seqtasks.metrics import language_scores


def total(batches: Any, measure: Callable[[list[Any], np.ndarray], Any]) -> tuple[float, int]:
    """The negative log-likelihood of all targets, and how many there are.

    Args:
        batches: `Lanes`.
        measure: of tokens, resets and targets, and of weights, 0 at padding: gives the
            negative log-likelihoods (rows, window).
    """
    nll, count = 0.0, 0
    for index in range(len(batches)):
        inputs, _, weights = batches[index]
        found = np.asarray(measure([inputs["tokens"], inputs["reset"], inputs["targets"]], weights), np.float64)
        nll += float((found * weights).sum())
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
        batches: `Lanes`; fewer lanes learn sooner.
        rate: of learning.
        decay: toward the trained weights.
        clip: the largest norm.

    Raises:
        ConfigError: another backend than TensorFlow.
    """
    if keras.backend.backend() != "tensorflow":
        raise ConfigError(f"dynamic evaluation on the backend {keras.backend.backend()}; it needs tensorflow")
    import tensorflow as tf

    weights = model.trainable_variables
    trained = [weight.numpy() for weight in weights]

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def learn(inputs: list[Any], real: Any) -> Any:
        with tf.GradientTape() as tape:
            nll = model(inputs, training=False)
            loss = tf.reduce_sum(nll * real) / tf.maximum(tf.reduce_sum(real), 1.0)
        slopes, _ = tf.clip_by_global_norm(tape.gradient(loss, [weight.value for weight in weights]), clip)
        for weight, slope, first in zip(weights, slopes, trained, strict=True):
            now = tf.convert_to_tensor(weight.value)
            weight.assign(now - rate * tf.convert_to_tensor(slope) + decay * (tf.constant(first) - now))
        return nll

    try:
        return language_scores(*total(batches, learn))
    finally:
        for weight, value in zip(weights, trained, strict=True):
            weight.assign(value)
