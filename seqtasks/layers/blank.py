"""Logits of labels and the blank, as CTC reads them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from seqtasks.layers.implicit_mask import MaskedLayer

BLANK = 0  # its number; labels begin at 1, and 0 ends the targets


@keras.saving.register_keras_serializable("seqtasks")
class BlankHead(MaskedLayer):
    """A dense layer to logits of the blank and the labels; padding is blank for certain.

    A certain blank adds nothing to a CTC loss and writes no label, so the loss and the decoders need no
    lengths. Always in float32: the loss sums over many steps.

    Args:
        labels: how many, without the blank.
    """

    def __init__(self, labels: int, **kwargs: Any):
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.labels = labels
        self.dense = keras.layers.Dense(labels + 1, dtype="float32", name="dense")

    def build(self, input_shape: Sequence[int | None], *more: Any) -> None:
        self.dense.build(input_shape)

    def call(self, x: Any, mask: Any = None) -> Any:
        """(batch, time, size) and the mask (batch, time) to (batch, time, 1 + labels).

        Without a mask, the one that `x` carries, else all steps are real.
        """
        logits = self.dense(x)
        if mask is None:
            return logits
        # Not -inf: its gradient would be NaN.
        blank = ops.where(ops.arange(self.labels + 1) == BLANK, 0.0, -1e9)
        return ops.where(ops.cast(mask, "bool")[..., None], logits, blank)

    def compute_output_shape(self, input_shape: Sequence[int | None], *more: Any) -> tuple[int | None, ...]:
        return (*input_shape[:-1], self.labels + 1)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> None:
        """None: padding is blank, and a CTC loss has one value a row, which no mask of steps fits."""

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "labels": self.labels}
