"""Losses with label smoothing of what a softmax head scores."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("seqtasks")
class SmoothedHead(keras.layers.Layer):
    """The loss that is trained on, the one that is told, and the likeliest token.

    With smoothing ε the first is (1 - ε) times the negative log-likelihood of the token plus
    ε times the mean of those of all tokens (Szegedy et al. 2016,
    https://arxiv.org/abs/1512.00567). Token 0 is padding and has no probability.

    Args:
        head: a `SoftmaxHead`.
        smoothing: ε, in [0, 1).
    """

    def __init__(self, head: keras.layers.Layer, smoothing: float = 0.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.head, self.smoothing = head, smoothing

    def build(self, x_shape: Any, targets_shape: Any) -> None:
        if not self.head.built:
            self.head.build(x_shape)
            self.head.built = True

    def call(self, x: Any, targets: Any) -> tuple[Any, Any]:
        """Losses, and guesses.

        Args:
            x: (batch, time, width).
            targets: (batch, time), token numbers.

        Returns:
            Float32 (batch, time, 2), the smoothed loss and the negative log-likelihood, of no
            meaning where the target is padding; and int32 (batch, time), the likeliest tokens.
        """
        logits = self.head(x)[..., 1:]
        nll = ops.sparse_categorical_crossentropy(
            ops.maximum(ops.cast(targets, "int32") - 1, 0), logits, from_logits=True
        )
        smoothed = nll
        if self.smoothing:
            every = ops.logsumexp(logits, axis=-1) - ops.mean(logits, axis=-1)
            smoothed = (1 - self.smoothing) * nll + self.smoothing * every
        return ops.stack([smoothed, nll], axis=-1), ops.cast(ops.argmax(logits, axis=-1), "int32") + 1

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> tuple[Any, Any]:
        """The mask that `x` carries, for the losses and for the guesses."""
        return previous_mask, previous_mask

    def get_config(self) -> dict[str, Any]:
        head = keras.saving.serialize_keras_object(self.head)
        return {**super().get_config(), "head": head, "smoothing": self.smoothing}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> SmoothedHead:
        return cls(**{**config, "head": keras.saving.deserialize_keras_object(config["head"])})
