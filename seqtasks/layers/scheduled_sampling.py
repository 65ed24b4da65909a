"""Scheduled sampling: training on the model's own predictions."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("seqtasks")
class ScheduledSampling(keras.layers.Layer):
    """Replaces some of the given tokens by guesses, in training only.

    The share that is replaced rises linearly with the updates, from none to `rate`. All
    guesses of a sequence are made in one pass over the given tokens, so nothing runs step
    by step, and no gradient flows through them.

    References: Bengio et al. 2015, https://arxiv.org/abs/1506.03099; Duckworth et al. 2019,
    https://arxiv.org/abs/1906.04331 (in parallel)

    Args:
        rate: the largest share, in [0, 1].
        steps: updates until it is reached.
        seed: of the choice.
    """

    def __init__(self, rate: float, steps: int, seed: int | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.rate, self.steps, self.seed = rate, steps, seed
        self.generator = keras.random.SeedGenerator(seed)

    def build(self, previous_shape: Any, guesses_shape: Any) -> None:
        self.updates = self.add_weight((), "zeros", "float32", trainable=False, autocast=False, name="updates")

    def call(self, previous: Any, guesses: Any, training: bool = False) -> Any:
        """Mixes.

        Args:
            previous: (batch, time), the tokens before each step, 0 at padding.
            guesses: (batch, time), what a model takes the token of each step for.
            training: replace some.

        Returns:
            (batch, time); the first step and padding are as they were.
        """
        if not training:
            return previous
        share = self.rate * ops.minimum(self.updates / self.steps, 1.0)
        self.updates.assign(self.updates + 1.0)
        before = ops.concatenate([previous[:, :1], ops.cast(guesses[:, :-1], previous.dtype)], axis=1)
        drawn = keras.random.uniform(ops.shape(previous), dtype="float32", seed=self.generator)
        replaced = ops.logical_and(drawn < share, ops.not_equal(previous, 0))
        return ops.stop_gradient(ops.where(replaced, before, previous))

    def compute_output_spec(self, previous: Any, guesses: Any, training: bool = False) -> Any:
        return keras.KerasTensor(previous.shape, previous.dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate, "steps": self.steps, "seed": self.seed}
