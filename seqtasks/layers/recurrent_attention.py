"""Recurrent attention model: glimpses at locations that the network chooses."""

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
    """The recurrent attention model: glimpses, a core, the location of the next glimpse, an answer.

        g_t = glimpse(picture, l_t)        h_t, s_t = core(g_t, s_{t-1})
        μ_t = tanh(4 W_l h_{t-1} / √n)     l_t = μ_t + σ ε_t          ε_t ~ N(0, 1), 0 in inference
        b_t = w_b h_{t-1}                  answer = W_a h_T

    h has n units. The first glimpse is in the middle, as are all others before training. The
    gradient stops at l_t, and before W_l and w_b: the core learns from the answer alone, the
    locations from the reward alone (`RecurrentAttentionLoss`).

    References: Mnih et al. 2014, https://arxiv.org/abs/1406.6247; Ba, Mnih & Kavukcuoglu 2014,
    https://arxiv.org/abs/1412.7755

    Args:
        core: an `Encoder` in one direction; it runs step by step.
        glimpse: what sees.
        classes: of the answer.
        policy: `"learned"`; `"random"`: the noise itself is the location; `"centre"`: the middle, always.
        location_std: σ, of each coordinate; 1 is half the picture.
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
        # In float32 whatever the policy: a reward is a difference of small numbers.
        self.answer = keras.layers.Dense(classes, dtype="float32", name="answer")
        # Keras stores weights under the names of attributes: `place` is the head of locations in files, too.
        self.place: Any = None
        self.value: Any = None
        if policy == "learned":
            self.place = keras.layers.Dense(2, "tanh", kernel_initializer="zeros", dtype="float32", name="place")
            self.value = keras.layers.Dense(1, dtype="float32", name="value")

    def build(self, picture_shape: Any, noise_shape: Any) -> None:
        if not self.glimpse.built:  # Keras builds the parts of a saved layer first
            self.glimpse.build(picture_shape, (None, 2))
        if not self.core.built:
            self.core.build((None, 1, self.glimpse.output_size))
            self.core.built = True
        size = self.core.output_size
        for head in (self.answer, self.place, self.value):
            if head is not None:
                head.build((None, size))

    def call(self, picture: Any, noise: Any, training: bool = False) -> Any:
        """Looks, and answers.

        Args:
            picture: (batch, height, width), 0 to 1.
            noise: (batch, glimpses, 2), ε; that of the first glimpse is not used by `"learned"`.
            training: dropout on.

        Returns:
            (batch, classes + 2 · glimpses), and 2 · (glimpses - 1) columns more where the
            policy is learned: see `split`.
        """
        steps = noise.shape[1]
        states = self.core.initial_state(ops.shape(picture)[0])
        noise = ops.cast(noise, "float32")
        middle = ops.zeros_like(noise[:, 0])
        h, locations, chances, values = None, [], [], []
        for t in range(steps):  # few: the graph holds them all
            location = noise[:, t] if self.policy == "random" else middle
            if self.place is not None and h is not None:
                mean = self.place(LOCATION_SCALE * ops.stop_gradient(h) / math.sqrt(self.core.output_size))
                location = ops.stop_gradient(mean + self.location_std * noise[:, t])
                chances.append(self._log_density(location, mean))
                values.append(self.value(ops.stop_gradient(h))[:, 0])
                # A location beyond the border was drawn all the same: only what is seen there is clipped.
                location = ops.clip(location, -1.0, 1.0)
            locations.append(location)
            seen = self.glimpse(picture, ops.cast(location, self.compute_dtype))
            h, states = self.core(seen[:, None], initial_state=states, return_sequences=False, training=training)
        columns = [self.answer(h), *locations]
        if chances:
            columns += [ops.stack(chances, axis=1), ops.stack(values, axis=1)]
        return ops.concatenate([ops.cast(column, "float32") for column in columns], axis=1)

    def _log_density(self, location: Any, mean: Any) -> Any:
        """log N(location; mean, σ²) of both coordinates, (batch,), without its constant: it is 0 at the mean."""
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
        settings = {{"deviation": "location_std"}.get(name, name): value for name, value in config.items()}  # of 0.1
        return cls(**{**settings, **parts})


def split(outputs: Any, classes: int, steps: int) -> tuple[Any, Any, Any, Any]:
    """The parts of what `RecurrentAttention` gives.

    Returns:
        Logits (batch, classes); locations (batch, glimpses, 2); the log-densities of the chosen
        locations, 0 where there is no noise, and the expected rewards, (batch, glimpses - 1) each, or (batch, 0).
    """
    end = classes + 2 * steps
    chosen = (outputs.shape[1] - end) // 2
    locations = ops.reshape(outputs[:, classes:end], (-1, steps, 2))
    return outputs[:, :classes], locations, outputs[:, end : end + chosen], outputs[:, end + chosen :]
