"""A vector for each image of a sequence of images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from seqtasks.layers.glimpse import check_filters


@keras.saving.register_keras_serializable("seqtasks")
class FilmReader(keras.layers.Layer):
    """Convolutions of stride 2 over each image by itself, then a dense layer, all with ReLU.

    An image does not see the others, so padding changes nothing.

    Args:
        filters: of each convolution.
        size: width of a vector.

    Raises:
        ConfigError: a convolution without filters.
    """

    def __init__(self, filters: Sequence[int], size: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.filters, self.size = check_filters(filters), size
        same: dict[str, Any] = {"activation": "relu", "dtype": self.dtype_policy}
        kernels = [3 if i else 5 for i in range(len(self.filters))]
        self.convolutions = [
            keras.layers.Conv2D(count, kernel, strides=2, padding="same", **same)
            for count, kernel in zip(self.filters, kernels, strict=True)
        ]
        self.dense = keras.layers.Dense(size, **same)

    def build(self, input_shape: Any) -> None:
        shape = (None, *input_shape[2:], 1)
        for convolution in self.convolutions:
            convolution.build(shape)
            shape = convolution.compute_output_shape(shape)
        self.dense.build((None, shape[1] * shape[2] * shape[3]))

    def call(self, images: Any) -> Any:
        """(batch, time, height, width) to (batch, time, size)."""
        batch, time = ops.shape(images)[:2]
        x = ops.reshape(images, (-1, *images.shape[2:], 1))
        for convolution in self.convolutions:
            x = convolution(x)
        x = self.dense(ops.reshape(x, (-1, x.shape[1] * x.shape[2] * x.shape[3])))
        return ops.reshape(x, (batch, time, self.size))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (*input_shape[:2], self.size)

    def compute_output_spec(self, images: Any) -> Any:
        return keras.KerasTensor((*images.shape[:2], self.size), self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "filters": self.filters, "size": self.size}
