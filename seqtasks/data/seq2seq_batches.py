"""Batches of pairs of sequences with similar source lengths and similar target lengths."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from seqtasks.core.arrays import FloatArray, IntArray
from seqtasks.data.bucketing import Buckets, Ragged
from seqtasks.data.ragged_files import collect
from seqtasks.data.splits import Examples

END = 1  # last token of every target and first of the decoder inputs; 0 is padding


class Pairs(Buckets):
    """Batches of source and target sequences for teacher forcing.

    A batch is `(inputs, targets, weights)`. Inputs are `source`, `(batch, source_time)`; `previous`, the
    targets shifted right by one step, which start with `END`, `(batch, time)`; and `targets`. Targets are
    `(batch, time)` and end in `END`. Weights are `(batch, time)`, 1 at valid and 0 at padded steps. Padding
    is 0 everywhere.

    Args:
        examples: Input `source` and the targets, both `Ragged`.
        batch_size: Maximum number of pairs in a batch. This and the other arguments are those of `Buckets`;
            `tokens` limits the longer side.
    """

    def measure(self) -> IntArray:
        self.sides = [self.examples.inputs["source"].lengths, self.examples.targets.lengths]
        longer_side: IntArray = np.maximum(*self.sides)
        return longer_side

    @property
    def padding(self) -> float:
        filled = sum(len(rows) * max(1, int(side[rows].max())) for rows in self._plan for side in self.sides)
        return 1 - float(sum(side.sum() for side in self.sides)) / filled

    def by_length(self, rows: IntArray, jitter: FloatArray) -> IntArray:
        """Sorts by the length of the source and, for sources of equal length, of the target."""
        source, target = (side[rows] for side in self.sides)
        return np.lexsort((-target * jitter, -source))

    def collate(self, rows: Examples, extra: int = 0) -> Any:
        source = rows.inputs["source"]
        previous, targets, weights = shifted(rows.targets, extra)
        inputs = {"source": source.padded(least=max(1, source.shape[1]) + extra), "previous": previous}
        return {**inputs, "targets": targets}, targets, weights


def shifted(targets: Ragged, extra: int = 0) -> tuple[IntArray, IntArray, FloatArray]:
    """Decoder inputs, padded targets and their weights.

    Args:
        targets: Targets, each ending in `END`.
        extra: Number of padded steps beyond the longest target.

    Returns:
        The targets shifted right by one step, which start with `END`; the targets; and weights, 1 at valid
        and 0 at padded steps. Each is `(batch, time)`.
    """
    filled = targets.padded(least=targets.shape[1] + extra)
    previous = np.concatenate([np.full((len(targets), 1), END, filled.dtype), filled[:, :-1]], axis=1)
    return previous, filled, (np.arange(filled.shape[1])[None] < targets.lengths[:, None]).astype(np.float32)


def numbered(
    source: Iterable[IntArray], target: Iterable[IntArray], first: int = 0, key: str | None = None
) -> Examples:
    """Examples of pairs of token numbers.

    Token numbers are raised by 2, because 0 is padding and 1 is `END`; `END` is appended to each target.

    Args:
        source: Token numbers of each source line, `(time,)`; with a key an object that can be iterated twice.
        target: Token numbers of each target line, `(time,)`, likewise.
        first: Number of the first line; the input `line` counts from it.
        key: Key of the numbers in the cache, from where they are mapped, see `ragged_files.collect`; None: in memory.
    """
    sources, targets = None if key is None else f"{key} source", None if key is None else f"{key} target"
    rows = collect(lambda: (row.astype(np.int32) + 2 for row in source), key=sources)
    ends = collect(lambda: (np.append(row.astype(np.int32) + 2, END) for row in target), key=targets)
    return Examples({"source": rows, "line": np.arange(first, first + len(rows))}, ends)
