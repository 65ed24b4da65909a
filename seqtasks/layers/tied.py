"""An output layer whose weights are those of the embedding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("seqtasks")
class TiedLogits(keras.layers.Layer):
    """Logits = x Eᵀ + b with E, (vocabulary, width), of an embedding.

    Reference: Press & Wolf 2016, https://arxiv.org/abs/1608.05859

    Args:
        embedding: the layer, built before; its width is that of the inputs.
    """

    def __init__(self, embedding: keras.layers.Embedding, **kwargs: Any):
        super().__init__(**kwargs)
        self.embedding = embedding

    def build(self, input_shape: Sequence[int | None]) -> None:
        if input_shape[-1] != self.embedding.output_dim:
            raise ValueError(
                f"inputs are {input_shape[-1]} wide; the embedding is {self.embedding.output_dim} wide; "
                "tied they must agree"
            )
        self.bias = self.add_weight((self.embedding.input_dim,), "zeros", name="bias")

    def call(self, x: Any) -> Any:
        """Logits (batch, time, vocabulary) of x (batch, time, width)."""
        table = ops.cast(ops.convert_to_tensor(self.embedding.embeddings), x.dtype)
        return ops.matmul(x, ops.transpose(table)) + ops.cast(self.bias, x.dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "embedding": keras.saving.serialize_keras_object(self.embedding)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> TiedLogits:
        return cls(**{**config, "embedding": keras.saving.deserialize_keras_object(config["embedding"])})
