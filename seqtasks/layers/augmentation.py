"""Images changed at random while a model trains."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from seqtasks.engines.compiled import compiled


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

    def sample(given: Any) -> Any:
        image, ((a, b, c), (d, e, f)) = given[0], (ops.unstack(row, 3) for row in ops.unstack(given[1], 2))
        places = ops.stack([d * x + e * y + f, a * x + b * y + c])
        return ops.image.map_coordinates(image, places, order=1, fill_mode="constant", fill_value=0)

    return ops.vectorized_map(sample, (images, where))
