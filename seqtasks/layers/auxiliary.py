"""A second loss beside that of a model's output."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from seqtasks.layers.implicit_mask import MaskedLayer, get_keras_mask


@keras.saving.register_keras_serializable("seqtasks")
class AuxiliaryLoss(MaskedLayer):
    """Passes its input on; in training the mean of a second one is added to the loss."""

    mask_of = "losses"

    def call(self, x: Any, losses: Any, mask: Any = None, training: bool = False) -> Any:
        """Adds a loss.

        Args:
            x: of any shape, returned as it is.
            losses: (batch, time), of which the mean is added.
            mask: (batch, time), true at the losses that count; None: the mask that they carry, else all do.
            training: false adds nothing.
        """
        if training:
            if mask is not None:
                weights = ops.cast(mask, losses.dtype)
                self.add_loss(ops.sum(losses * weights) / ops.maximum(ops.sum(weights), 1.0))
                return x
            # The mean of nothing would be no number: a window of one step has no word before another.
            self.add_loss(ops.sum(losses) / ops.maximum(ops.cast(ops.size(losses), losses.dtype), 1.0))
        return x

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """The mask that `x` carries."""
        return get_keras_mask(inputs)  # the previous mask is the one of the losses, if that is an argument
