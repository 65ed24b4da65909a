"""What stands where: a grid as a sequence whose steps know their places."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("seqtasks")
class Places(keras.layers.Layer):
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
