"""Batches of pairs of sequences, each side of similar length."""

from __future__ import annotations

from typing import Any

import numpy as np

from seqtasks.core.arrays import FloatArray, IntArray
from seqtasks.data.bucketing import Buckets, Ragged
from seqtasks.data.splits import Examples

END = 1  # ends every target, and stands before its first token; 0 is padding


class Pairs(Buckets):
    """Inputs `source` (batch, steps), 0 at padding, `previous` and targets (batch, time), weights (batch, time).

    Each target ends in `END`; `previous` is the targets one step later, beginning with `END`.

    Args:
        examples: input `source` and the targets, both `Ragged`.
        batch_size: and the rest, as of `Buckets`; `tokens` bounds the longer side.
    """

    def measure(self) -> IntArray:
        self.sides = [self.examples.inputs["source"].lengths, self.examples.targets.lengths]
        longer: IntArray = np.maximum(*self.sides)
        return longer

    @property
    def padding(self) -> float:
        filled = sum(len(rows) * max(1, int(side[rows].max())) for rows in self._plan for side in self.sides)
        return 1 - float(sum(side.sum() for side in self.sides)) / filled

    def by_length(self, rows: IntArray, jitter: FloatArray) -> IntArray:
        """By the source and, where that is as long, by the target."""
        source, target = (side[rows] for side in self.sides)
        return np.lexsort((-target * jitter, -source))

    def collate(self, rows: Examples, extra: int = 0) -> Any:
        source = rows.inputs["source"]
        previous, targets, weights = shifted(rows.targets, extra)
        inputs = {"source": source.padded(least=max(1, source.shape[1]) + extra), "previous": previous}
        return {**inputs, "targets": targets}, targets, weights


def shifted(targets: Ragged, extra: int = 0) -> tuple[IntArray, IntArray, FloatArray]:
    """What a writer reads before each target, the targets, and ones at real ones: (batch, time) each.

    Args:
        targets: each ends in `END`.
        extra: steps of padding beyond the longest.
    """
    wide = targets.padded(least=targets.shape[1] + extra)
    previous = np.concatenate([np.full((len(targets), 1), END, wide.dtype), wide[:, :-1]], axis=1)
    return previous, wide, (np.arange(wide.shape[1])[None] < targets.lengths[:, None]).astype(np.float32)


def numbered(source: list[IntArray], target: list[IntArray], first: int = 0) -> Examples:
    """Pairs of token numbers of vocabularies, two higher here, and the ends of the targets.

    Args:
        source: of each line.
        target: of each line.
        first: the number of the first line; `line` of the inputs counts from it.
    """
    lines = np.arange(first, first + len(source))
    return Examples(
        {"source": Ragged.of([row.astype(np.int32) + 2 for row in source]), "line": lines},
        Ragged.of([np.append(row.astype(np.int32) + 2, END) for row in target]),
    )
