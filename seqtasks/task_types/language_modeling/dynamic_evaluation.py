"""Total negative log-likelihood of a text and of its blocks, and dynamic evaluation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from seqtasks.core.arrays import FloatArray
from seqtasks.engines.backend.gradients import weight_gradients
from seqtasks.layers.metrics import language_scores

BLOCK = 64  # tokens whose negative log-likelihoods are stored as one value


class BlockSums:
    """Sums of negative log-likelihoods over blocks of a text, the same blocks for windows of any length.

    Args:
        batches: `BPTTBatches` that score the text.

    Attributes:
        sums: `(streams, blocks, 2)`: negative log-likelihoods and number of tokens.
    """

    def __init__(self, batches: Any):
        self.sums = np.zeros((batches.lanes, -(-batches.length // BLOCK), 2))
        self._read = np.zeros(batches.lanes, np.int64)  # tokens of each stream

    def add(self, streams: Sequence[int], losses: FloatArray, weights: FloatArray) -> None:
        """Adds a batch, in the order of the text.

        Args:
            streams: Number of the stream of each row.
            losses: Negative log-likelihoods, `(batch, time)`.
            weights: `(batch, time)`, 0 at padding and at tokens that were added before.
        """
        for stream, row, valid in zip(streams, losses, weights > 0, strict=True):
            count = int(valid.sum())
            blocks = (self._read[stream] + np.arange(count)) // BLOCK
            np.add.at(self.sums[stream, :, 0], blocks, row[valid])
            np.add.at(self.sums[stream, :, 1], blocks, 1)
            self._read[stream] += count

    @property
    def terms(self) -> FloatArray:
        """Sum and number of each block that has tokens, `(blocks, 2)`."""
        flat = self.sums.reshape(-1, 2)
        return np.asarray(flat[flat[:, 1] > 0])


def total(
    batches: Any, measure: Callable[[list[Any], FloatArray], Any], blocks: BlockSums | None = None
) -> tuple[float, int]:
    """Sums the negative log-likelihood of all targets and counts them.

    Args:
        batches: `BPTTBatches`.
        measure: Function of `[tokens, reset, targets]` and of weights, `(batch, time)`, 0 at padding. It returns the
            negative log-likelihoods, `(batch, time)`.
        blocks: Also sums the negative log-likelihoods of blocks; None: only those of the text.

    Returns:
        The sum in nats, and the number of targets.
    """
    nll, count = 0.0, 0
    for index in range(len(batches)):
        inputs, _, weights = batches[index]
        losses = np.asarray(measure([inputs["tokens"], inputs["reset"], inputs["targets"]], weights), np.float64)
        nll += float((losses * weights).sum())
        count += int(weights.sum())
        if blocks is not None:
            blocks.add(batches.streams(index), losses, weights)
    return nll, count


def dynamic_scores(
    model: keras.Model, batches: Any, rate: float, decay: float = 0.0, clip: float = 1.0
) -> dict[str, float]:
    """Scores a text by dynamic evaluation: after each batch is scored, the model is trained on it.

    The update is θ ← θ - rate · g + decay · (θ₀ - θ), where g is the gradient, clipped to a global norm, and θ₀ are the
    trained weights, which are restored at the end.

    Reference: Krause et al. 2017, https://arxiv.org/abs/1709.07432 (here with plain gradient descent)

    Args:
        model: Language model.
        batches: `BPTTBatches` of the text; with fewer streams the model adapts earlier.
        rate: Learning rate.
        decay: Decay toward the trained weights.
        clip: Maximum global norm of the gradient.

    Returns:
        Scores by name, see `language_scores`.
    """
    weights = model.trainable_variables
    trained = [ops.copy(weight.value) for weight in weights]

    def loss(inputs: list[Any], valid: Any) -> tuple[Any, Any]:
        nll = model(inputs, training=False)
        valid = ops.cast(valid, nll.dtype)
        return ops.sum(nll * valid) / ops.maximum(ops.sum(valid), 1.0), nll

    loss_gradients = weight_gradients(loss, model)

    def score_and_update(inputs: list[Any], valid: Any) -> Any:
        nll, gradients = loss_gradients(inputs, valid)
        nll = ops.convert_to_numpy(nll)
        norm = ops.sqrt(sum(ops.sum(ops.square(gradient)) for gradient in map(ops.convert_to_tensor, gradients)))
        scale = rate * clip / ops.maximum(norm, clip)
        for weight, gradient, trained_value in zip(weights, gradients, trained, strict=True):
            value = ops.convert_to_tensor(weight.value)
            weight.assign(value - scale * ops.convert_to_tensor(gradient) + decay * (trained_value - value))
        return nll

    try:
        return language_scores(*total(batches, score_and_update))
    finally:
        for weight, value in zip(weights, trained, strict=True):
            weight.assign(value)
