"""A second loss beside that of a model's output."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("seqtasks")
class AuxiliaryLoss(keras.layers.Layer):
    """Passes its input on; in training the mean of a second one is added to the loss."""

    def call(self, x: Any, losses: Any, training: bool = False) -> Any:
        """Adds a loss.

        Args:
            x: of any shape, returned as it is.
            losses: (batch, time), of which the mean is added.
            training: false adds nothing.
        """
        if training:
            # The mean of nothing would be no number: a window of one step has no word before another.
            self.add_loss(ops.sum(losses) / ops.maximum(ops.cast(ops.size(losses), losses.dtype), 1.0))
        return x
