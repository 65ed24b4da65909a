"""Fixed permutation of the time steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable("seqtasks")
class PermuteTime(keras.layers.Layer):
    """Permutes the time steps in a fixed order, as in permuted sequential MNIST.

    The implicit mask is permuted in the same way.

    Reference: Le, Jaitly & Hinton 2015, https://arxiv.org/abs/1504.00941

    Args:
        order: Permutation of the numbers from 0 to time - 1; step t of the output is step `order[t]` of
            the input.

    Raises:
        ValueError: `order` is not a permutation.

    Example:
        >>> import numpy as np
        >>> from seqtasks.layers import PermuteTime
        >>> x = np.array([[[1.0], [2.0], [3.0]]])  # (batch, time, features)
        >>> np.asarray(PermuteTime([2, 0, 1])(x))[0, :, 0].tolist()
        [3.0, 1.0, 2.0]
    """

    def __init__(self, order: Sequence[int], **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.order = [int(i) for i in order]
        if sorted(self.order) != list(range(len(self.order))):
            raise ValueError(
                f"order is {self.order}; allowed: a permutation of 0 … {len(self.order) - 1}; list each number once"
            )

    @classmethod
    def random(cls, steps: int, seed: int) -> PermuteTime:
        """Creates the layer with a random permutation.

        Args:
            steps: Number of time steps.
            seed: Seed of the permutation.
        """
        return cls(np.random.default_rng(seed).permutation(steps).tolist())

    def call(self, x: Any) -> Any:
        """Permutes the steps of `(batch, time, features)`."""
        return ops.take(x, ops.array(self.order, dtype="int32"), axis=1)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """Returns the mask, `(batch, time)`, in the same order."""
        return None if previous_mask is None else self.call(previous_mask)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "order": self.order}
