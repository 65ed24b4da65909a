"""Images changed at random while a model trains."""

from __future__ import annotations

from typing import Any

import keras


@keras.saving.register_keras_serializable("seqtasks")
class RandomAffine(keras.layers.Layer):
    """Turns, scales and moves each image at random in training, and only there; what comes in from outside is black.

    Keras's own layers for that also change what a model is called with outside of `fit` and
    `predict`, where nobody says whether it trains.

    Args:
        degrees: to turn by, at most, to either side.
        zoom: part of its size by which an image becomes larger or smaller, at most.
        shift: part of its size by which it moves, at most, along each axis.
    """

    def __init__(self, degrees: float = 10.0, zoom: float = 0.1, shift: float = 2 / 28, **kwargs: Any):
        super().__init__(**kwargs)
        self.degrees, self.zoom, self.shift = degrees, zoom, shift
        self.steps = [
            keras.layers.RandomRotation(degrees / 360, fill_mode="constant"),
            keras.layers.RandomZoom(zoom, zoom, fill_mode="constant"),
            keras.layers.RandomTranslation(shift, shift, fill_mode="constant"),
        ]

    def build(self, input_shape: Any) -> None:
        for step in self.steps:
            step.build((*input_shape, 1))

    def call(self, images: Any, training: bool = False) -> Any:
        """Images (batch, height, width) of the same shape."""
        if not training:
            return images
        x = keras.ops.expand_dims(images, -1)
        for step in self.steps:
            x = step(x, training=True)
        return keras.ops.squeeze(x, -1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "degrees": self.degrees, "zoom": self.zoom, "shift": self.shift}
