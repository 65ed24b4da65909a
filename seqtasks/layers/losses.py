"""Losses that Keras does not have, and the auxiliary loss."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from seqtasks.layers.implicit_mask import MaskedLayer, get_keras_mask


@keras.saving.register_keras_serializable("seqtasks")
class SmoothedCrossentropy(keras.losses.Loss):
    """Cross-entropy of class numbers and logits with label smoothing.

    The target is 1 - ε + ε/K on the true class of K, ε/K on each other class.

    Reference: Szegedy et al. 2016, https://arxiv.org/abs/1512.00567

    Args:
        smoothing: ε, in [0, 1).
    """

    def __init__(self, smoothing: float, **kwargs: Any):
        super().__init__(**kwargs)
        self.smoothing = smoothing

    def call(self, y_true: Any, y_pred: Any) -> Any:
        if len(y_true.shape) == len(y_pred.shape) and y_true.shape[-1] == 1:  # a column, as Keras takes
            y_true = ops.squeeze(y_true, -1)
        log_p = ops.log_softmax(y_pred, axis=-1)
        true = ops.one_hot(ops.cast(y_true, "int32"), y_pred.shape[-1], dtype=log_p.dtype)
        chosen = ops.sum(true * log_p, axis=-1)
        return -((1 - self.smoothing) * chosen + self.smoothing * ops.mean(log_p, axis=-1))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "smoothing": self.smoothing}


@keras.saving.register_keras_serializable("seqtasks")
class TokenLoss(keras.losses.Loss):
    """The mean of negative log-likelihoods (batch, time), by weights that are 0 at padding.

    Args:
        per: `"token"`: the mean over all real tokens of the batch; `"window"`: the sum over
            time and the mean over rows, as Zaremba et al. 2014 (https://arxiv.org/abs/1409.2329).
        window: a batch of other length counts by its length over this one, as Merity et al.
            2017 (https://arxiv.org/abs/1708.02182) scale their learning rate; None: all alike.
    """

    def __init__(self, per: str = "token", window: int | None = None, **kwargs: Any):
        # Keras's default divides by all positions, padding too.
        kwargs["reduction"] = "mean_with_sample_weight" if per == "token" else "sum_over_batch_size"
        super().__init__(**kwargs)
        self.per, self.window = per, window

    def call(self, y_true: Any, y_pred: Any) -> Any:
        steps = ops.cast(ops.shape(y_pred)[1], y_pred.dtype)
        if self.per == "window":
            return y_pred * steps
        return y_pred if self.window is None else y_pred * steps / self.window

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.pop("reduction")
        return {**config, "per": self.per, "window": self.window}


@keras.saving.register_keras_serializable("seqtasks")
class TagLoss(TokenLoss):
    """The same of the first column of what `TagHead` gives, (batch, time, 2)."""

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return super().call(y_true, y_pred[..., 0])


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
