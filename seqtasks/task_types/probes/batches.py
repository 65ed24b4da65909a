"""Batches of probe sequences, with weights that leave out steps without a label."""

from __future__ import annotations

from typing import Any

import numpy as np

from seqtasks.data.bucketing import Buckets
from seqtasks.data.splits import Examples


class ProbeBatches(Buckets):
    """Right-padded batches of sequences of similar length; steps with a negative target have the weight 0.

    Example:
        >>> from seqtasks.data.bucketing import Ragged
        >>> examples = Examples({"tokens": Ragged.of([[1, 2], [3]])}, Ragged.of([[-1, 1], [0]]))
        >>> tokens, targets, weights = ProbeBatches(examples, 2)[0]
        >>> tokens.tolist(), targets.tolist(), weights.tolist()
        ([[1, 2], [3, 0]], [[0, 1], [0, 0]], [[0.0, 1.0], [1.0, 0.0]])
    """

    def collate(self, rows: Examples, extra: int = 0) -> Any:
        inputs, targets, weights = super().collate(rows, extra)
        return inputs, np.maximum(targets, 0), np.where(targets < 0, np.float32(0), weights)
