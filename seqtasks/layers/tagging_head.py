"""Output layer of taggers: softmax at each step, or a CRF."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from seqtasks.core.span_scheme import transitions_of
from seqtasks.engines.backend.argmax import argmax
from seqtasks.layers.crf import CRF
from seqtasks.layers.implicit_mask import MaskedLayer


@keras.saving.register_keras_serializable("seqtasks")
class TagHead(MaskedLayer):
    """Output layer of taggers: tags of each step, or losses and correctness of target tags.

    With a CRF and tag names in the BIO or BIOES scheme, only legal tag sequences are decoded. Masks: with
    a CRF masked steps are skipped; without it each step is treated by itself. The output carries the
    implicit mask of the input.

    Args:
        labels: Names of the tags.
        crf: Whether a linear-chain CRF follows the scores of the steps.

    Example:
        >>> import numpy as np
        >>> from seqtasks.layers import TagHead
        >>> head, x = TagHead(["O", "B-PER", "I-PER"], crf=True), np.zeros((2, 5, 4), "float32")
        >>> tuple(head(x).shape), tuple(head(x, targets=np.zeros((2, 5), "int32")).shape)
        ((2, 5), (2, 5, 2))
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

    def call(
        self, x: Any, targets: Any = None, mask: Any = None, training: bool = False, probabilities: bool = False
    ) -> Any:
        """Predicts tags or their probabilities, or scores target tags.

        Args:
            x: Inputs, `(batch, time, size)`.
            targets: Target tag numbers, `(batch, time)`; None: predict.
            mask: `(batch, time)`, true at valid steps; None: the implicit mask of `x`, or else all steps are
                valid.
            training: With a CRF, correctness is then measured by the best tag of each step, because decoding the
                best sequence takes longer.
            probabilities: Whether to return the probability of each tag at each step; with a CRF that of all tag
                sequences which have it there (forward-backward algorithm).

        Returns:
            Without targets the best tags, `(batch, time)`; with `probabilities`, `(batch, time, tags)`, float32. With
            targets `(batch, time, 2)`: the negative log-likelihood (with a CRF that of the sequence, divided equally
            among its valid steps), and 1 where the best tag is the target, else 0.
        """
        scores = ops.cast(self.scores(x), "float32")
        if probabilities:
            return ops.softmax(scores, axis=-1) if self.crf is None else self.crf.marginals(scores, mask)
        best = ops.cast(argmax(scores), "int32")
        if self.crf is not None and not training:
            best = ops.cast(self.crf.decode(scores, mask)[0], "int32")
        if targets is None:
            return best
        targets = ops.cast(targets, "int32")
        if self.crf is None:
            nll = ops.sparse_categorical_crossentropy(targets, scores, from_logits=True)
        else:
            valid = ops.ones_like(scores[..., 0]) if mask is None else ops.cast(mask, "float32")
            mean_nll = self.crf(scores, targets, mask) / ops.maximum(ops.sum(valid, axis=1), 1.0)
            nll = mean_nll[:, None] * valid
        return ops.stack([nll, ops.cast(ops.equal(best, targets), "float32")], axis=-1)

    def compute_output_spec(
        self, x: Any, targets: Any = None, mask: Any = None, training: bool = False, probabilities: bool = False
    ) -> Any:
        if probabilities:
            return keras.KerasTensor((*x.shape[:-1], len(self.labels)), "float32")
        if targets is None:
            return keras.KerasTensor(x.shape[:-1], "int32")
        return keras.KerasTensor((*x.shape[:-1], 2), "float32")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "labels": self.labels, "crf": self.crf is not None}
