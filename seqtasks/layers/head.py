"""The output layer of a language model: logits of every token, or the loss of given ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("seqtasks")
class SoftmaxHead(keras.layers.Layer):
    """Logits = x W + b over a vocabulary; tied, W is the transposed matrix of an embedding.

    Reference: Press & Wolf 2016, https://arxiv.org/abs/1608.05859 (tied)

    Args:
        size: of the vocabulary.
        embedding: the layer whose matrix is shared, as wide as the inputs; None: an own one.

    Raises:
        ValueError: the embedding has another width than the inputs.
    """

    def __init__(self, size: int, embedding: keras.layers.Embedding | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True  # each step by itself
        self.size = size
        self.embedding = embedding

    def build(self, input_shape: Sequence[int | None]) -> None:
        if self.embedding is None:
            self.kernel = self.add_weight((input_shape[-1], self.size), "glorot_uniform", name="kernel")
        elif input_shape[-1] != self.embedding.output_dim:
            raise ValueError(
                f"inputs are {input_shape[-1]} wide; the embedding is {self.embedding.output_dim} wide; "
                "tied they must agree"
            )
        self.bias = self.add_weight((self.size,), "zeros", name="bias")

    def call(self, x: Any, targets: Any = None) -> Any:
        """Scores tokens.

        Args:
            x: (batch, time, width) or (batch, width).
            targets: (batch, time) or (batch,), token numbers.

        Returns:
            Float32 logits (…, size); with targets their negative log-likelihoods, shaped as they are.
        """
        matrix, bias = (ops.cast(weight, x.dtype) for weight in self.matrix_and_bias())
        logits = ops.cast(ops.matmul(x, matrix) + bias, "float32")
        if targets is None:
            return logits
        return ops.sparse_categorical_crossentropy(ops.cast(targets, "int32"), logits, from_logits=True)

    def matrix_and_bias(self) -> tuple[Any, Any]:
        """(width, size) and (size,)."""
        if self.embedding is None:
            return self.kernel, self.bias
        return ops.transpose(ops.convert_to_tensor(self.embedding.embeddings)), self.bias

    def get_config(self) -> dict[str, Any]:
        shared = None if self.embedding is None else keras.saving.serialize_keras_object(self.embedding)
        return {**super().get_config(), "size": self.size, "embedding": shared}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> SoftmaxHead:
        shared = config["embedding"]
        return cls(**{**config, "embedding": shared and keras.saving.deserialize_keras_object(shared)})
