"""Visual attention model: recurrent attention over glimpses, and its REINFORCE loss."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from seqtasks.core.errors import ConfigError
from seqtasks.layers.encoder import Encoder
from seqtasks.layers.glimpse import GlimpseNetwork
from seqtasks.layers.recurrent_attention import Policy, RecurrentAttention, split

# Value of a white pixel. Canvases are mostly black; with 5 they and the glimpses have a standard deviation of about 1.
WHITE = 5.0


def glimpse_model(
    encoder: Encoder, shape: tuple[int, int], classes: int, size: int, options: Any, name: str
) -> keras.Model:
    """Builds the recurrent attention model, with the encoder as its core.

    All rows have the same number of glimpses, so there is no mask.

    Args:
        encoder: Encoder in one direction.
        shape: Height and width of an image.
        classes: Number of classes.
        size: Side of a glimpse in pixels.
        options: Options of the task, `GlimpseOptions`.
        name: Name of the model.

    Returns:
        A model with the inputs `image`, `(batch, height, width)`, 0 to 255, and `noise`, `(batch, glimpses, 2)`.
        Its output is that of `RecurrentAttention`, `(batch, columns)`.

    Raises:
        ConfigError: The encoder cannot run step by step.
    """
    check(encoder)
    o = options
    image = keras.Input(shape, name="image", dtype="uint8")
    noise = keras.Input((o.glimpses, 2), name="noise")
    network = GlimpseNetwork(o.hidden, size, o.scales, o.filters, name="glimpse")
    # A single glimpse is at the centre; there is no location to learn.
    policy: Policy = "centre" if o.policy == "learned" and o.glimpses == 1 else o.policy
    attention = RecurrentAttention(encoder, network, classes, policy, o.location_std, name="gaze")
    return keras.Model([image, noise], attention(keras.layers.Rescaling(WHITE / 255)(image), noise), name=name)


def check(encoder: Encoder) -> None:
    """Checks that the encoder can run step by step, and sets its engine to `loop`.

    Raises:
        ConfigError: A setting needs the whole sequence.
    """
    config = encoder.config
    if config.bidirectional:
        raise ConfigError(
            "encoder.bidirectional=true needs glimpses that are not chosen yet; allowed: false; set "
            "encoder.bidirectional=false"
        )
    if config.engine in ("keras", "native"):
        raise ConfigError(
            f"encoder.engine={config.engine} needs the whole sequence, but each glimpse is chosen after the one "
            "before; allowed: auto, loop; set encoder.engine=auto"
        )
    # Their dropout masks are drawn once for each call of the encoder, and here each step is a call.
    for name in ("recurrent_dropout", "variational_dropout", "variational_input", "weight_drop"):
        if rate := getattr(config, name):
            raise ConfigError(
                f"encoder.{name}={rate} draws one dropout mask for a whole sequence, but glimpses are read step by "
                f"step; allowed: 0; set encoder.{name}=0, or use encoder.dropout"
            )
    for recurrent in encoder.recurrents:  # single steps run on `loop`, so the result row has to name it
        recurrent.running_engine = "loop"


class RecurrentAttentionLoss(keras.losses.Loss):
    """Loss of a recurrent attention model: cross-entropy, REINFORCE and its baseline.

        -log p(y) - λ Σ_t (R - b_t) log N(l_t; μ_t, σ²) + mean_t (R - b_t)²

    The reward R is 1 if the predicted class is right, else 0. In the second term R and b_t are constants. If the
    locations are not learned, the loss is the cross-entropy alone.

    Reference: Mnih et al. 2014, https://arxiv.org/abs/1406.6247, section 3.2

    Args:
        classes: Number of classes.
        steps: Number of glimpses.
        reinforce: Weight λ of the REINFORCE term.

    Example:
        >>> import numpy as np
        >>> loss = RecurrentAttentionLoss(classes=2, steps=1)
        >>> outputs = np.zeros((1, 2 + 2), "float32")  # logits of two classes, location of one glimpse
        >>> round(float(loss(np.array([0]), outputs)), 4)  # log 2
        0.6931
    """

    def __init__(self, classes: int, steps: int, reinforce: float = 1.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.classes, self.steps, self.reinforce = classes, steps, reinforce

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Computes the loss of each example.

        Args:
            y_true: Class numbers, `(batch,)`.
            y_pred: Output of `RecurrentAttention`, `(batch, columns)`.

        Returns:
            Losses, `(batch,)`.
        """
        targets = ops.reshape(ops.cast(y_true, "int32"), (-1,))
        logits, _, log_densities, values = split(y_pred, self.classes, self.steps)
        loss = ops.sparse_categorical_crossentropy(targets, logits, from_logits=True)
        if not values.shape[1]:
            return loss
        right = ops.equal(ops.cast(ops.argmax(logits, axis=-1), "int32"), targets)
        advantage = ops.cast(right, values.dtype)[:, None] - values
        reinforce = ops.sum(ops.stop_gradient(advantage) * log_densities, axis=1)
        return loss - self.reinforce * reinforce + ops.mean(ops.square(advantage), axis=1)

    def get_config(self) -> dict[str, Any]:
        config = {"classes": self.classes, "steps": self.steps, "reinforce": self.reinforce}
        return {**super().get_config(), **config}


class AnswerAccuracy(keras.metrics.MeanMetricWrapper):
    """Accuracy of the logits in the output of `RecurrentAttention`.

    Args:
        classes: Number of classes.
        name: Name of the metric.
    """

    def __init__(self, classes: int, name: str = "accuracy", **kwargs: Any):
        def right(y_true: Any, y_pred: Any) -> Any:
            return keras.metrics.sparse_categorical_accuracy(y_true, y_pred[:, :classes])

        super().__init__(right, name=name, **kwargs)
