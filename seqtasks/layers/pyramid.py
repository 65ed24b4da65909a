"""Steps of a sequence joined, so that the layers above see fewer and wider ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from seqtasks.layers.implicit_mask import MaskedLayer


@keras.saving.register_keras_serializable("seqtasks")
class JoinSteps(MaskedLayer):
    """Puts each `factor` steps side by side, as between the layers of a pyramidal encoder.

    The last step is filled up with zeros where the number of steps is no multiple. What stands at
    padding is zeros in the result, so more padding changes nothing.

    Reference: Chan et al. 2016, https://arxiv.org/abs/1508.01211

    Args:
        factor: steps that become one; 2 in the paper.

    Raises:
        ValueError: a factor below 1.
    """

    def __init__(self, factor: int = 2, **kwargs: Any):
        super().__init__(**kwargs)
        if factor < 1:
            raise ValueError(f"factor is {factor}; allowed: 1 or more")
        self.factor = factor

    def call(self, x: Any, mask: Any = None) -> Any:
        """Joins steps.

        Args:
            x: (batch, time, size).
            mask: (batch, time), true at real steps, which stand first; None: the mask that `x` carries, else all
                are real.

        Returns:
            (batch, ⌈time / factor⌉, factor · size); `joined_mask` has its mask.
        """
        if mask is not None:
            x = ops.where(ops.cast(mask, "bool")[..., None], x, ops.zeros_like(x))
        size, (batch, time) = x.shape[-1], ops.shape(x)[:2]
        # Always to be cut by the factor, so that the shape is known to every backend.
        x = ops.pad(x, [[0, 0], [0, self.factor - 1], [0, 0]])
        steps = (time + self.factor - 1) // self.factor
        return ops.reshape(x[:, : steps * self.factor], (batch, steps, self.factor * size))

    def compute_output_shape(self, input_shape: Sequence[int | None], *more: Any) -> tuple[int | None, ...]:
        batch, time, size = input_shape
        assert size is not None
        return batch, None if time is None else -(-time // self.factor), self.factor * size

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """The mask of the joined steps, see `joined_mask`."""
        return None if previous_mask is None else joined_mask(previous_mask, self.factor)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "factor": self.factor}


def joined_mask(mask: Any, factor: int) -> Any:
    """The mask of what `JoinSteps` gives: a joined step is real if the first of its steps is.

    Args:
        mask: (batch, time), true at real steps, which stand first.
        factor: of `JoinSteps`.

    Returns:
        (batch, ⌈time / factor⌉).
    """
    return mask[:, ::factor]
