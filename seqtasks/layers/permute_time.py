"""Fixed permutation of the time steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable("seqtasks")
class PermuteTime(keras.layers.Layer):
    """Puts the steps of (batch, time, features) into a fixed order.

    Args:
        order: a permutation of the numbers from 0 to time - 1.
    """

    def __init__(self, order: Sequence[int], **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.order = [int(i) for i in order]
        if sorted(self.order) != list(range(len(self.order))):
            raise ValueError(f"order is {self.order}; allowed: a permutation of 0 … {len(self.order) - 1}")

    @classmethod
    def random(cls, steps: int, seed: int) -> PermuteTime:
        """A permutation of `steps` steps that depends on the seed alone."""
        return cls(np.random.default_rng(seed).permutation(steps).tolist())

    def call(self, x: Any) -> Any:
        return ops.take(x, ops.array(self.order, dtype="int32"), axis=1)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """The mask (batch, time) in the same order."""
        return None if previous_mask is None else self.call(previous_mask)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "order": self.order}
