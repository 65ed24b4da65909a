"""Visual attention model: glimpses, and the REINFORCE loss that trains it."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from seqtasks.core.errors import ConfigError
from seqtasks.layers.encoder import Encoder
from seqtasks.layers.glimpse import GlimpseNetwork
from seqtasks.layers.recurrent_attention import Policy, RecurrentAttention, split

# Canvases are mostly black: this way they, and what is made of them, have a standard deviation of about 1.
BRIGHTEST = 5.0


def glimpse_model(
    encoder: Encoder, shape: tuple[int, int], classes: int, size: int, options: Any, name: str
) -> keras.Model:
    """Glimpses of a picture, the encoder as their core, an answer.

    Args:
        encoder: in one direction.
        shape: height and width of the picture.
        classes: of the answer.
        size: of the patches.
        options: `GlimpseOptions`.
        name: of the model.

    Returns:
        A model of `image` (batch, height, width), 0 to 255, and `noise` (batch, glimpses, 2)
        that gives what `RecurrentAttention` gives.

    Raises:
        ConfigError: an encoder that cannot run step by step.
    """
    check(encoder)
    o = options
    image = keras.Input(shape, name="image", dtype="uint8")
    noise = keras.Input((o.glimpses, 2), name="noise")
    network = GlimpseNetwork(o.hidden, size, o.scales, o.filters, name="glimpse")
    # A single glimpse is not chosen.
    policy: Policy = "centre" if o.policy == "learned" and o.glimpses == 1 else o.policy
    gaze = RecurrentAttention(encoder, network, classes, policy, o.location_std, name="gaze")
    return keras.Model([image, noise], gaze(keras.layers.Rescaling(BRIGHTEST / 255)(image), noise), name=name)


def check(encoder: Encoder) -> None:
    """Refuses what does not go with one step at a time, and names the engine that does.

    Raises:
        ConfigError: a setting that needs the whole sequence.
    """
    config = encoder.config
    if config.bidirectional:
        raise ConfigError(
            "a bidirectional encoder would need the glimpses that are not chosen yet; set encoder.bidirectional=false"
        )
    if config.engine in ("keras", "native"):
        raise ConfigError(
            f"encoder.engine={config.engine} needs the whole sequence, but each glimpse is chosen after the one "
            "before; allowed: auto, loop"
        )
    # Their masks are drawn once for a call, and here every step is a call.
    for what in ("recurrent_dropout", "variational_dropout", "variational_input", "weight_drop"):
        if getattr(config, what):
            raise ConfigError(
                f"encoder.{what} keeps one mask for a whole sequence, which glimpses, read step by step, do not have; "
                f"set encoder.{what}=0, or use encoder.dropout"
            )
    for recurrent in encoder.recurrents:  # also where XLA asked for another: what a row names is what ran
        recurrent.running_engine = "loop"


class RecurrentAttentionLoss(keras.losses.Loss):
    """Cross-entropy of the answer, REINFORCE for the locations, and the baseline that REINFORCE subtracts.

        -log p(y) - λ Σ_t (R - b_t) log N(l_t; μ_t, σ²) + mean_t (R - b_t)²

    The reward R is 1 for a right answer, else 0. In the second term R and b_t are constants.

    Reference: Mnih et al. 2014, https://arxiv.org/abs/1406.6247, section 3.2

    Args:
        classes: of the answer.
        steps: glimpses.
        reinforce: λ.
    """

    def __init__(self, classes: int, steps: int, reinforce: float = 1.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.classes, self.steps, self.reinforce = classes, steps, reinforce

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Class numbers (batch,) and what `RecurrentAttention` gives to losses (batch,)."""
        targets = ops.reshape(ops.cast(y_true, "int32"), (-1,))
        logits, _, chances, values = split(y_pred, self.classes, self.steps)
        loss = ops.sparse_categorical_crossentropy(targets, logits, from_logits=True)
        if not values.shape[1]:
            return loss
        right = ops.equal(ops.cast(ops.argmax(logits, axis=-1), "int32"), targets)
        missed = ops.cast(right, values.dtype)[:, None] - values
        gain = ops.sum(ops.stop_gradient(missed) * chances, axis=1)
        return loss - self.reinforce * gain + ops.mean(ops.square(missed), axis=1)

    def get_config(self) -> dict[str, Any]:
        config = {"classes": self.classes, "steps": self.steps, "reinforce": self.reinforce}
        return {**super().get_config(), **config}


class AnswerAccuracy(keras.metrics.MeanMetricWrapper):
    """The share of right answers so far."""

    def __init__(self, classes: int, name: str = "accuracy", **kwargs: Any):
        def right(y_true: Any, y_pred: Any) -> Any:
            return keras.metrics.sparse_categorical_accuracy(y_true, y_pred[:, :classes])

        super().__init__(right, name=name, **kwargs)
