"""Recurrent attention model: classifies pictures by glimpses at locations that it chooses."""

from __future__ import annotations

import math
from typing import Any, Literal

import keras
from keras import ops

from seqtasks.layers.glimpse import GlimpseNetwork

Policy = Literal["learned", "random", "centre"]
# Scale of the location network's logits, so that its effective learning rate does not depend on the core's width.
# Larger: locations diverge; smaller: the classifier learns before the policy does.
LOCATION_SCALE = 4.0


@keras.saving.register_keras_serializable("seqtasks")
class RecurrentAttention(keras.layers.Layer):
    """Recurrent attention model: glimpses at chosen locations, a recurrent core, a classifier.

        g_t = glimpse(picture, l_t)        h_t, s_t = core(g_t, s_{t-1})
        μ_t = tanh(4 W_l h_{t-1} / √n)     l_t = μ_t + σ ε_t          ε_t ~ N(0, 1), 0 in inference
        b_t = w_b h_{t-1}                  answer = W_a h_T

    h has n units. The first glimpse is at the centre, as all others are before training. Gradients stop
    at l_t and before W_l and w_b: the core and the classifier learn from the classification loss alone,
    the locations from the reward alone (`RecurrentAttentionLoss`). There are no masks; the core starts
    each call from its initial state.

    References: Mnih et al. 2014, https://arxiv.org/abs/1406.6247; Ba, Mnih & Kavukcuoglu 2014,
    https://arxiv.org/abs/1412.7755

    Args:
        core: Recurrent core, an `Encoder` in one direction; it runs step by step.
        glimpse: Glimpse network.
        classes: Number of classes.
        policy: `"learned"`; `"random"`: the noise itself is the location; `"centre"`: always the centre.
        location_std: σ, standard deviation of each coordinate; 1 is half of the picture.

    Example:
        >>> import numpy as np
        >>> from seqtasks.layers import Encoder, GlimpseNetwork, RecurrentAttention
        >>> glimpse = GlimpseNetwork(hidden=8, size=8, scales=1)
        >>> model = RecurrentAttention(Encoder(cell="gru", units=8), glimpse, classes=10)
        >>> pictures, noise = np.zeros((2, 28, 28), "float32"), np.zeros((2, 3, 2), "float32")  # 3 glimpses
        >>> tuple(model(pictures, noise).shape)  # 10 logits, 3 locations, 2 log-densities, 2 expected rewards
        (2, 20)
    """

    def __init__(
        self,
        core: Any,
        glimpse: GlimpseNetwork,
        classes: int,
        policy: Policy = "learned",
        location_std: float = 0.15,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.core, self.glimpse, self.classes = core, glimpse, classes
        self.policy, self.location_std = policy, location_std
        # In float32 also under mixed precision: a reward minus its expectation is a small difference.
        self.answer = keras.layers.Dense(classes, dtype="float32", name="answer")
        # The location head is named `place`, because Keras stores weights under the names of attributes.
        self.place: Any = None
        self.value: Any = None
        if policy == "learned":
            self.place = keras.layers.Dense(2, "tanh", kernel_initializer="zeros", dtype="float32", name="place")
            self.value = keras.layers.Dense(1, dtype="float32", name="value")

    def build(self, picture_shape: Any, noise_shape: Any) -> None:
        if not self.glimpse.built:  # when loading, Keras builds the sublayers first
            self.glimpse.build(picture_shape, (None, 2))
        if not self.core.built:
            self.core.build((None, 1, self.glimpse.output_size))
            self.core.built = True
        size = self.core.output_size
        for head in (self.answer, self.place, self.value):
            if head is not None:
                head.build((None, size))

    def call(self, picture: Any, noise: Any, training: bool = False) -> Any:
        """Takes the glimpses and classifies.

        Args:
            picture: Pictures, `(batch, height, width)`, 0 to 1.
            noise: ε, `(batch, glimpses, 2)`; that of the first glimpse is not used by `"learned"`.
            training: Whether dropout is applied.

        Returns:
            Logits and locations, `(batch, classes + 2 · glimpses)`. With the policy `"learned"` they are
            followed by log-densities and expected rewards, 2 · (glimpses - 1) columns; see `split`.
        """
        steps = noise.shape[1]
        states = self.core.initial_state(ops.shape(picture)[0])
        noise = ops.cast(noise, "float32")
        centre = ops.zeros_like(noise[:, 0])
        h, locations, log_densities, values = None, [], [], []
        for t in range(steps):  # unrolled: there are few glimpses
            location = noise[:, t] if self.policy == "random" else centre
            if self.place is not None and h is not None:
                mean = self.place(LOCATION_SCALE * ops.stop_gradient(h) / math.sqrt(self.core.output_size))
                location = ops.stop_gradient(mean + self.location_std * noise[:, t])
                log_densities.append(self._log_density(location, mean))
                values.append(self.value(ops.stop_gradient(h))[:, 0])
                # Clip only after the log-density, which belongs to the location that was drawn.
                location = ops.clip(location, -1.0, 1.0)
            locations.append(location)
            g = self.glimpse(picture, ops.cast(location, self.compute_dtype))
            h, states = self.core(g[:, None], initial_state=states, return_sequences=False, training=training)
        columns = [self.answer(h), *locations]
        if log_densities:
            columns += [ops.stack(log_densities, axis=1), ops.stack(values, axis=1)]
        return ops.concatenate([ops.cast(column, "float32") for column in columns], axis=1)

    def _log_density(self, location: Any, mean: Any) -> Any:
        """log N(location; mean, σ²) of both coordinates without its constant, `(batch,)`."""
        return -ops.sum(ops.square((location - mean) / self.location_std), axis=-1) / 2

    def compute_output_shape(self, picture_shape: Any, noise_shape: Any) -> Any:
        steps = noise_shape[1]
        width = self.classes + 2 * steps + (2 * (steps - 1) if self.policy == "learned" else 0)
        return (picture_shape[0], width)

    def compute_output_spec(self, picture: Any, noise: Any, training: bool = False) -> Any:
        return keras.KerasTensor(self.compute_output_shape(picture.shape, noise.shape), "float32")

    def get_config(self) -> dict[str, Any]:
        layers = {name: keras.saving.serialize_keras_object(getattr(self, name)) for name in ("core", "glimpse")}
        settings = {"classes": self.classes, "policy": self.policy, "location_std": self.location_std}
        return {**super().get_config(), **layers, **settings}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> RecurrentAttention:
        parts = {name: keras.saving.deserialize_keras_object(config[name]) for name in ("core", "glimpse")}
        former_names = {"deviation": "location_std"}  # saved by version 0.1
        settings = {former_names.get(name, name): value for name, value in config.items()}
        return cls(**{**settings, **parts})


def split(outputs: Any, classes: int, steps: int) -> tuple[Any, Any, Any, Any]:
    """Splits the output of `RecurrentAttention` into its parts.

    Args:
        outputs: Output of the layer, `(batch, columns)`.
        classes: Number of classes.
        steps: Number of glimpses.

    Returns:
        Logits, `(batch, classes)`; locations, `(batch, glimpses, 2)`; log-densities of the drawn locations
        without their constant, 0 without noise, and expected rewards, both `(batch, glimpses - 1)`, or
        `(batch, 0)` if the policy is not learned.
    """
    end = classes + 2 * steps
    chosen = (outputs.shape[1] - end) // 2
    locations = ops.reshape(outputs[:, classes:end], (-1, steps, 2))
    return outputs[:, :classes], locations, outputs[:, end : end + chosen], outputs[:, end + chosen :]
