"""Losses that Keras does not have, and the layer that adds an auxiliary loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from seqtasks.layers.implicit_mask import MaskedLayer, get_keras_mask


@keras.saving.register_keras_serializable("seqtasks")
class SmoothedCrossentropy(keras.losses.Loss):
    """Cross-entropy with label smoothing, for integer targets and logits.

    The target distribution has 1 - ε + ε/K on the true one of K classes and ε/K on each other class.
    Padding is excluded by sample weights or by Keras's implicit mask, as in every Keras loss.

    Reference: Szegedy et al. 2016, https://arxiv.org/abs/1512.00567

    Args:
        smoothing: ε, in [0, 1).

    Example:
        >>> import numpy as np
        >>> from seqtasks.losses import SmoothedCrossentropy
        >>> targets, logits = np.array([0, 1]), np.zeros((2, 4), "float32")  # (batch,), (batch, classes)
        >>> round(float(SmoothedCrossentropy(0.1)(targets, logits)), 4)  # log 4
        1.3863
    """

    def __init__(self, smoothing: float, **kwargs: Any):
        super().__init__(**kwargs)
        self.smoothing = smoothing

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Computes the loss of each example.

        Args:
            y_true: Class numbers, `(batch,)`, `(batch, 1)` or `(batch, time)`.
            y_pred: Logits, `(batch, classes)` or `(batch, time, classes)`.

        Returns:
            Losses, `(batch,)` or `(batch, time)`.
        """
        if len(y_true.shape) == len(y_pred.shape) and y_true.shape[-1] == 1:  # Keras also allows a column of targets
            y_true = ops.squeeze(y_true, -1)
        log_p = ops.log_softmax(y_pred, axis=-1)
        one_hot = ops.one_hot(ops.cast(y_true, "int32"), y_pred.shape[-1], dtype=log_p.dtype)
        target_log_p = ops.sum(one_hot * log_p, axis=-1)
        return -((1 - self.smoothing) * target_log_p + self.smoothing * ops.mean(log_p, axis=-1))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "smoothing": self.smoothing}


@keras.saving.register_keras_serializable("seqtasks")
class TokenLoss(keras.losses.Loss):
    """Mean of negative log-likelihoods that the model outputs, `(batch, time)`.

    For models whose output is already the negative log-likelihood of each token, such as `SoftmaxHead`
    called with targets. `y_true` is ignored. Sample weights, or Keras's implicit mask, exclude padding.

    Args:
        per: `"token"`: mean over the valid tokens of the batch; `"window"`: sum over time, mean over
            rows, as in Zaremba et al. 2014 (https://arxiv.org/abs/1409.2329).
        window: Reference number of time steps; the loss of a batch is multiplied by its own number of
            steps divided by this one, as Merity et al. 2017 (https://arxiv.org/abs/1708.02182) scale
            their learning rate. None: no scaling. Used by `"token"` only.

    Example:
        >>> import numpy as np
        >>> from seqtasks.losses import TokenLoss
        >>> nll = np.array([[1.0, 2.0, 9.0]], "float32")  # (batch, time)
        >>> float(TokenLoss()(nll, nll, sample_weight=np.array([[1.0, 1.0, 0.0]])))  # the last is padding
        1.5
    """

    def __init__(self, per: str = "token", window: int | None = None, **kwargs: Any):
        # Keras's default reduction divides by the number of all positions, including padding.
        kwargs["reduction"] = "mean_with_sample_weight" if per == "token" else "sum_over_batch_size"
        super().__init__(**kwargs)
        self.per, self.window = per, window

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Scales the negative log-likelihoods.

        Args:
            y_true: Ignored.
            y_pred: Negative log-likelihoods, `(batch, time)`.

        Returns:
            Losses, `(batch, time)`.
        """
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
    """`TokenLoss` of the first column of `TagHead`'s output, the negative log-likelihood.

    Arguments and treatment of padding are those of `TokenLoss`.

    Example:
        >>> import numpy as np
        >>> from seqtasks.losses import TagLoss
        >>> head_output = np.array([[[1.0, 1.0], [2.0, 0.0]]], "float32")  # (batch, time, 2)
        >>> float(TagLoss()(head_output[..., 0], head_output))
        1.5
    """

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Scales the negative log-likelihoods.

        Args:
            y_true: Ignored.
            y_pred: Output of `TagHead` with targets, `(batch, time, 2)`.

        Returns:
            Losses, `(batch, time)`.
        """
        return super().call(y_true, y_pred[..., 0])


@keras.saving.register_keras_serializable("seqtasks")
class MultiLabelCrossentropy(keras.losses.Loss):
    """Binary cross-entropy of several labels, of which any number may hold; for logits.

    Targets and logits are `(batch, labels)` or `(batch, time, labels)`.

    The loss of an example or step is the mean over its labels. A label that is NaN is unknown: it counts neither as 0
    nor as 1. Padding is excluded by sample weights or by Keras's implicit mask, as in every Keras loss.

    Example:
        >>> import numpy as np
        >>> from seqtasks.losses import MultiLabelCrossentropy
        >>> labels, logits = np.array([[[1.0, np.nan]]], "float32"), np.zeros((1, 1, 2), "float32")
        >>> round(float(MultiLabelCrossentropy()(labels, logits)), 4)  # log 2
        0.6931
    """

    def __init__(self, **kwargs: Any):
        # Keras's default reduction divides by the number of all positions, including padding.
        super().__init__(**{"reduction": "mean_with_sample_weight", **kwargs})

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Computes the loss of each example or step.

        Args:
            y_true: 1 where a label holds, 0 where not, NaN where it is unknown, `(…, labels)`.
            y_pred: Logits, `(…, labels)`.

        Returns:
            Losses, `(…)`; 0 where no label is known.
        """
        known = ops.logical_not(ops.isnan(y_true))
        targets = ops.where(known, y_true, 0.0)
        return _mean_of_known(ops.softplus(y_pred) - targets * y_pred, known)


@keras.saving.register_keras_serializable("seqtasks")
class ScaledSquaredError(keras.losses.Loss):
    """Mean squared error of several numbers, each divided by a variance of its own.

    Targets and predictions are `(batch, numbers)` or `(batch, time, numbers)`.

    A target that is NaN is unknown and has no error. Padding is excluded by sample weights or by Keras's implicit mask.

    Args:
        variance: Variance of each number, such as that of the training targets.

    Example:
        >>> import numpy as np
        >>> from seqtasks.losses import ScaledSquaredError
        >>> targets, predicted = np.array([[[3.0, np.nan]]], "float32"), np.array([[[1.0, 5.0]]], "float32")
        >>> float(ScaledSquaredError([2.0, 1.0])(targets, predicted))
        2.0
    """

    def __init__(self, variance: Sequence[float], **kwargs: Any):
        super().__init__(**{"reduction": "mean_with_sample_weight", **kwargs})
        self.variance = [float(value) for value in variance]

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Computes the loss of each example or step.

        Args:
            y_true: Targets, `(…, numbers)`, NaN where unknown.
            y_pred: Predicted numbers, `(…, numbers)`.

        Returns:
            Losses, `(…)`; 0 where no target is known.
        """
        known = ops.logical_not(ops.isnan(y_true))
        errors = ops.square(ops.where(known, y_true, 0.0) - y_pred) / ops.convert_to_tensor(self.variance, y_pred.dtype)
        return _mean_of_known(errors, known)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "variance": self.variance}


def _mean_of_known(losses: Any, known: Any) -> Any:
    """The mean over the last axis of the losses whose target is known; 0 if none is."""
    weights = ops.cast(known, losses.dtype)
    total = ops.sum(ops.where(known, losses, 0.0), axis=-1)
    return total / ops.maximum(ops.sum(weights, axis=-1), 1.0)


@keras.saving.register_keras_serializable("seqtasks")
class AuxiliaryLoss(MaskedLayer):
    """Returns its first input; in training adds the mean of the second to the loss.

    The mean is over valid steps: `mask` belongs to the losses. The output carries the implicit mask of
    the first input.

    Example:
        >>> import numpy as np
        >>> from seqtasks.layers import AuxiliaryLoss
        >>> layer, losses = AuxiliaryLoss(), np.array([[1.0, 2.0, 6.0]], "float32")  # (batch, time)
        >>> x = layer(np.ones((1, 4), "float32"), losses, training=True)
        >>> [float(loss) for loss in layer.losses]
        [3.0]
    """

    mask_of = "losses"

    def call(self, x: Any, losses: Any, mask: Any = None, training: bool = False) -> Any:
        """Adds the mean of `losses` to the losses of the layer.

        Args:
            x: Tensor of any shape.
            losses: Auxiliary losses, `(batch, time)`.
            mask: Mask of the losses, `(batch, time)`, true at valid steps; None: the implicit mask of the
                losses, or else all steps are valid.
            training: Whether the loss is added.

        Returns:
            `x`, unchanged.
        """
        if training:
            if mask is not None:
                weights = ops.cast(mask, losses.dtype)
                self.add_loss(ops.sum(losses * weights) / ops.maximum(ops.sum(weights), 1.0))
                return x
            # There may be no losses, as in a language-model window of one step; their mean would be 0/0.
            self.add_loss(ops.sum(losses) / ops.maximum(ops.cast(ops.size(losses), losses.dtype), 1.0))
        return x

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """Returns the implicit mask of `x`."""
        # `previous_mask` is the mask of the losses if `mask` was given as an argument.
        return get_keras_mask(inputs)
