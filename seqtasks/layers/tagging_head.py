"""Output layer of taggers: softmax for each step, or a CRF."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from seqtasks.core.span_scheme import transitions_of
from seqtasks.layers.crf import CRF
from seqtasks.layers.implicit_mask import MaskedLayer


@keras.saving.register_keras_serializable("seqtasks")
class TagHead(MaskedLayer):
    """Tags of outputs, or how good given ones are.

    Args:
        labels: the names of the tags. With a CRF, those of BIO or BIOES are decoded into
            legal sequences only.
        crf: a linear-chain CRF over the scores of the steps.
    """

    def __init__(self, labels: Sequence[str], crf: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        self.labels = list(labels)
        self.scores = keras.layers.Dense(len(self.labels), dtype=self.dtype_policy)
        legal = transitions_of(self.labels)
        self.crf = CRF(len(self.labels), *(legal or ()), dtype="float32") if crf else None

    def build(self, input_shape: Sequence[int | None]) -> None:
        self.scores.build(input_shape)
        if self.crf is not None:
            self.crf.build((*input_shape[:-1], len(self.labels)))

    def call(self, x: Any, targets: Any = None, mask: Any = None, training: bool = False) -> Any:
        """Tags.

        Args:
            x: (batch, time, size).
            targets: (batch, time), tag numbers.
            mask: (batch, time), true at real steps; None: the mask that `x` carries, else all are.
            training: with a CRF, what is right is told by the best tag of each step then,
                not by the best sequence, which takes longer.

        Returns:
            The best tags (batch, time). With targets (batch, time, 2): the negative
            log-likelihood, that of a sentence shared among its steps, and 1 where the
            best tag is the target.
        """
        scores = ops.cast(self.scores(x), "float32")
        best = ops.cast(ops.argmax(scores, axis=-1), "int32")
        if self.crf is not None and not training:
            best = ops.cast(self.crf.decode(scores, mask)[0], "int32")
        if targets is None:
            return best
        targets = ops.cast(targets, "int32")
        if self.crf is None:
            nll = ops.sparse_categorical_crossentropy(targets, scores, from_logits=True)
        else:
            real = ops.ones_like(scores[..., 0]) if mask is None else ops.cast(mask, "float32")
            whole = self.crf(scores, targets, mask) / ops.maximum(ops.sum(real, axis=1), 1.0)
            nll = whole[:, None] * real
        return ops.stack([nll, ops.cast(ops.equal(best, targets), "float32")], axis=-1)

    def compute_output_spec(self, x: Any, targets: Any = None, mask: Any = None, training: bool = False) -> Any:
        if targets is None:
            return keras.KerasTensor(x.shape[:-1], "int32")
        return keras.KerasTensor((*x.shape[:-1], 2), "float32")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "labels": self.labels, "crf": self.crf is not None}
