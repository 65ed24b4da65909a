"""Scheduled sampling: training on the model's own predictions."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("seqtasks")
class ScheduledSampling(keras.layers.Layer):
    """In training replaces random input tokens of a decoder by the model's own predictions.

    The fraction of replaced tokens grows linearly with the updates, from 0 to `rate`. The predictions of
    a whole sequence come from one pass over the original tokens, so nothing runs step by step, and no
    gradient flows through them. Padding, token 0, is never replaced, and the input's implicit mask is
    carried on. The number of updates is a weight of the layer.

    References: Bengio et al. 2015, https://arxiv.org/abs/1506.03099; Duckworth et al. 2019,
    https://arxiv.org/abs/1906.04331 (in parallel)

    Args:
        rate: Final fraction of replaced tokens, in [0, 1].
        steps: Number of updates after which `rate` is reached.
        seed: Seed of the choice of tokens.

    Example:
        >>> import numpy as np
        >>> from seqtasks.layers import ScheduledSampling
        >>> layer = ScheduledSampling(rate=1.0, steps=1)
        >>> tokens, predicted = np.array([[1, 2, 3]]), np.array([[7, 8, 9]])  # (batch, time)
        >>> np.asarray(layer(tokens, predicted, training=True)).tolist()  # no token is replaced at first
        [[1, 2, 3]]
        >>> np.asarray(layer(tokens, predicted, training=True)).tolist()
        [[1, 7, 8]]
    """

    def __init__(self, rate: float, steps: int, seed: int | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.rate, self.steps, self.seed = rate, steps, seed
        self.generator = keras.random.SeedGenerator(seed)

    def build(self, previous_shape: Any, guesses_shape: Any) -> None:
        self.updates = self.add_weight((), "zeros", "float32", trainable=False, autocast=False, name="updates")

    def call(self, previous: Any, guesses: Any, training: bool = False) -> Any:
        """Replaces random tokens.

        Args:
            previous: Input tokens of the decoder, `(batch, time)`: the previous target at each step, 0 at
                padding.
            guesses: Predicted token of each step, `(batch, time)`.
            training: Whether tokens are replaced.

        Returns:
            Tokens, `(batch, time)`; the first step and padding are unchanged.
        """
        if not training:
            return previous
        fraction = self.rate * ops.minimum(self.updates / self.steps, 1.0)
        self.updates.assign(self.updates + 1.0)
        shifted = ops.concatenate([previous[:, :1], ops.cast(guesses[:, :-1], previous.dtype)], axis=1)
        drawn = keras.random.uniform(ops.shape(previous), dtype="float32", seed=self.generator)
        replaced = ops.logical_and(drawn < fraction, ops.not_equal(previous, 0))
        return ops.stop_gradient(ops.where(replaced, shifted, previous))

    def compute_output_spec(self, previous: Any, guesses: Any, training: bool = False) -> Any:
        return keras.KerasTensor(previous.shape, previous.dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate, "steps": self.steps, "seed": self.seed}
