"""Glimpse sensor and glimpse network of the recurrent attention model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from seqtasks.core.errors import ConfigError


def check_filters(filters: Sequence[int]) -> list[int]:
    """Returns the numbers of convolution filters as a list.

    Raises:
        ConfigError: A number is below 1.
    """
    if any(count < 1 for count in filters):
        raise ConfigError(f"filters of convolutions are {list(filters)}; allowed: each ≥ 1; set options.filters")
    return list(filters)


@keras.saving.register_keras_serializable("seqtasks")
class GlimpseSensor(keras.layers.Layer):
    """Cuts square patches of several scales around a location out of each picture.

    Each patch is twice as wide as the one before and is averaged down to the same number of pixels. A
    location (y, x) is in [-1, 1]²: (-1, -1) is the upper left corner of the picture, (0, 0) its centre,
    (1, 1) the lower right corner. A pixel of a patch is the exact mean over its area, so locations
    between pixels need no rounding. Outside of the picture everything is black, 0.

    Reference: Mnih et al. 2014, https://arxiv.org/abs/1406.6247, section 3.1

    Args:
        size: Height and width of every patch, in pixels.
        scales: Number of patches; the last one covers `size · 2^(scales - 1)` pixels of the picture a side.

    Example:
        >>> import numpy as np
        >>> from seqtasks.layers import GlimpseSensor
        >>> pictures, locations = np.ones((2, 28, 28), "float32"), np.zeros((2, 2), "float32")
        >>> tuple(GlimpseSensor(size=8, scales=3)(pictures, locations).shape)
        (2, 3, 8, 8)
    """

    def __init__(self, size: int, scales: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.size, self.scales = size, scales

    def call(self, picture: Any, place: Any) -> Any:
        """Returns the patches.

        Args:
            picture: Pictures, `(batch, height, width)`.
            place: Locations (y, x), `(batch, 2)`, in [-1, 1].

        Returns:
            Patches, `(batch, scales, size, size)`.
        """
        height, width = picture.shape[1:]
        rows, columns = self._shares(place[:, 0], height), self._shares(place[:, 1], width)
        # A mean over rows and columns is two matrix products, without padding or gathering.
        flat = ops.reshape(rows, (-1, self.scales * self.size, height))
        across = ops.reshape(flat @ picture, (-1, self.scales, self.size, width))
        return across @ ops.swapaxes(columns, 2, 3)

    def _shares(self, location: Any, pixels: int) -> Any:
        """Returns by how much each pixel of the picture covers each row of the patches.

        Args:
            location: One coordinate of the location, `(batch,)`.
            pixels: Height or width of the picture.

        Returns:
            Fractions, `(batch, scales, size, pixels)`; they sum to 1 over pixels inside of the picture.
        """
        centre = (location + 1) / 2 * pixels
        shares = []
        for scale in range(self.scales):
            side = float(2**scale)
            cells = side * (ops.arange(self.size, dtype=self.compute_dtype) - self.size / 2)
            begin = (centre[:, None] + cells)[:, :, None]
            pixel = ops.arange(pixels, dtype=self.compute_dtype)
            overlap = ops.minimum(begin + side, pixel + 1) - ops.maximum(begin, pixel)
            shares.append(ops.maximum(overlap, 0) / side)
        return ops.stack(shares, axis=1)

    def compute_output_shape(self, picture_shape: Any, place_shape: Any) -> Any:
        return (picture_shape[0], self.scales, self.size, self.size)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": self.size, "scales": self.scales}


@keras.saving.register_keras_serializable("seqtasks")
class GlimpseNetwork(keras.layers.Layer):
    """Encodes a glimpse and its location as one vector.

        what = relu(W₁ patches)    where = relu(W₂ location)    glimpse = relu(W₃ what + W₄ where)

    Convolutions, if there are any, come before W₁; the patches of all scales are their channels.

    References: Mnih et al. 2014, https://arxiv.org/abs/1406.6247, section 4; with convolutions Ba,
    Mnih & Kavukcuoglu 2014, https://arxiv.org/abs/1412.7755

    Args:
        hidden: Width of `what` and of `where`; a glimpse vector is twice as wide.
        size: Height and width of a patch, see `GlimpseSensor`.
        scales: Number of patches, see `GlimpseSensor`.
        filters: Number of filters of each 3×3 convolution, each followed by 2×2 max pooling.

    Raises:
        ConfigError: A number of filters is below 1.

    Example:
        >>> import numpy as np
        >>> from seqtasks.layers import GlimpseNetwork
        >>> pictures, locations = np.ones((2, 28, 28), "float32"), np.zeros((2, 2), "float32")
        >>> tuple(GlimpseNetwork(hidden=16, size=8, scales=1)(pictures, locations).shape)
        (2, 32)
    """

    def __init__(self, hidden: int, size: int, scales: int, filters: Sequence[int] = (), **kwargs: Any):
        super().__init__(**kwargs)
        self.hidden, self.size, self.scales, self.filters = hidden, size, scales, check_filters(filters)
        same = {"dtype": self.dtype_policy}
        self.convolutions = [keras.layers.Conv2D(n, 3, padding="same", activation="relu", **same) for n in filters]
        self.pool = keras.layers.MaxPooling2D(2, padding="same", **same)
        self.sensor = GlimpseSensor(size, scales, **same)
        self.what = keras.layers.Dense(hidden, "relu", name="what", **same)
        self.where = keras.layers.Dense(hidden, "relu", name="where", **same)
        self.from_what = keras.layers.Dense(2 * hidden, name="from_what", **same)
        self.from_where = keras.layers.Dense(2 * hidden, name="from_where", **same)

    @property
    def output_size(self) -> int:
        """Width of a glimpse vector."""
        return 2 * self.hidden

    # The argument is named `place`, not `location`, because Keras 3.12 restores saved layers by these names.
    def build(self, picture_shape: Any, place_shape: Any) -> None:
        shape: Any = (None, self.size, self.size, self.scales)
        for convolution in self.convolutions:
            convolution.build(shape)
            shape = self.pool.compute_output_shape(convolution.compute_output_shape(shape))
        self.what.build((None, math.prod(shape[1:])))
        self.where.build((None, 2))
        self.from_what.build((None, self.hidden))
        self.from_where.build((None, self.hidden))

    def call(self, picture: Any, place: Any) -> Any:
        """Computes the glimpse vectors.

        Args:
            picture: Pictures, `(batch, height, width)`.
            place: Locations (y, x), `(batch, 2)`, in [-1, 1].

        Returns:
            Glimpse vectors, `(batch, 2 · hidden)`.
        """
        x = ops.transpose(self.sensor(picture, place), (0, 2, 3, 1))
        for convolution in self.convolutions:
            x = self.pool(convolution(x))
        x = ops.reshape(x, (-1, math.prod(x.shape[1:])))
        return ops.relu(self.from_what(self.what(x)) + self.from_where(self.where(place)))

    def compute_output_shape(self, picture_shape: Any, place_shape: Any) -> Any:
        return (picture_shape[0], self.output_size)

    def get_config(self) -> dict[str, Any]:
        config = {"hidden": self.hidden, "size": self.size, "scales": self.scales, "filters": self.filters}
        return {**super().get_config(), **config}
