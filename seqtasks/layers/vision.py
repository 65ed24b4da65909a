"""Layers for images: frame encoder, position embedding, random affine augmentation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from seqtasks.engines.backend.compile import compiled
from seqtasks.layers.glimpse import check_filters


@keras.saving.register_keras_serializable("seqtasks")
class FrameEncoder(keras.layers.Layer):
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


@keras.saving.register_keras_serializable("seqtasks")
class PositionEmbedding2D(keras.layers.Layer):
    """Adds a learned vector for each place of a grid, and lays the grid out as a sequence, row by row.

    Reference: Dosovitskiy et al. 2020, https://arxiv.org/abs/2010.11929 (learned places)
    """

    def build(self, input_shape: Any) -> None:
        _, height, width, size = input_shape
        self.vectors = self.add_weight(
            (height, width, size), keras.initializers.RandomNormal(stddev=0.3), name="vectors"
        )

    def call(self, x: Any) -> Any:
        """Lays out.

        Args:
            x: (batch, height, width, size); all but the batch are fixed.

        Returns:
            (batch, height · width, size).
        """
        _, height, width, size = x.shape
        return ops.reshape(x + ops.cast(self.vectors, x.dtype), (-1, height * width, size))


@keras.saving.register_keras_serializable("seqtasks")
class RandomAffine(keras.layers.Layer):
    """Turns, scales and moves each image at random in training, and only there; what comes in from outside is black.

    Keras's own layers for that also change what a model is called with outside of `fit` and
    `predict`, where nobody says whether it trains, and each resamples the image anew.

    Args:
        degrees: to turn by, at most, to either side.
        zoom: part of its size by which an image becomes larger or smaller, at most, along each axis.
        shift: part of its size by which it moves, at most, along each axis.
    """

    def __init__(self, degrees: float = 10.0, zoom: float = 0.1, shift: float = 2 / 28, **kwargs: Any):
        super().__init__(**kwargs)
        self.degrees, self.zoom, self.shift = degrees, zoom, shift
        self.seeds = keras.random.SeedGenerator()
        self.sampled = compiled(_sampled)  # on TensorFlow in a tenth of the time

    def call(self, images: Any, training: bool = False) -> Any:
        """Images (batch, height, width) of the same shape."""
        if not training:
            return images
        return self.sampled(images, self.transforms(ops.shape(images)[0], *images.shape[1:]))

    def transforms(self, count: Any, height: int, width: int) -> Any:
        """Where each pixel (x, y) comes from, a x + b y + c and d x + e y + f: (count, 2, 3)."""
        drawn = ops.unstack(keras.random.uniform((5, count), -1, 1, "float32", seed=self.seeds), 5)
        angle = drawn[0] * math.radians(self.degrees)
        scales = [1 + self.zoom * part for part in drawn[1:3]]
        a, b = ops.cos(angle) * scales[0], -ops.sin(angle) * scales[0]
        d, e = ops.sin(angle) * scales[1], ops.cos(angle) * scales[1]
        x, y = (width - 1) / 2, (height - 1) / 2  # the middle, which only the shift moves
        c = x - a * x - b * y + self.shift * width * drawn[3]
        f = y - d * x - e * y + self.shift * height * drawn[4]
        return ops.stack([ops.stack([a, b, c], 1), ops.stack([d, e, f], 1)], 1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "degrees": self.degrees, "zoom": self.zoom, "shift": self.shift}


def _sampled(images: Any, where: Any) -> Any:
    """Images (batch, height, width) read between pixels, at places that `RandomAffine.transforms` tells."""
    height, width = images.shape[1:]
    x, y = ops.arange(width, dtype="float32")[None], ops.arange(height, dtype="float32")[:, None]

    def sample(pair: Any) -> Any:
        image, ((a, b, c), (d, e, f)) = pair[0], (ops.unstack(row, 3) for row in ops.unstack(pair[1], 2))
        places = ops.stack([d * x + e * y + f, a * x + b * y + c])
        return ops.image.map_coordinates(image, places, order=1, fill_mode="constant", fill_value=0)

    return ops.vectorized_map(sample, (images, where))
