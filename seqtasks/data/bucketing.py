"""Ragged arrays, and batches of rows of similar length, right-padded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from seqtasks.core.arrays import FloatArray, IntArray
from seqtasks.data.batches import ResumableBatches, single
from seqtasks.data.splits import Examples


@dataclass(frozen=True, eq=False)
class Ragged:
    """Rows one after the other.

    Attributes:
        values: of all rows, (values,).
        ends: where each row ends, (rows,).
    """

    values: np.ndarray
    ends: IntArray

    @classmethod
    def of(cls, rows: Iterable[Sequence[int] | IntArray], dtype: str = "int32") -> Ragged:
        """From rows of numbers."""
        arrays = [np.asarray(row, dtype) for row in rows]
        lengths = np.array([len(row) for row in arrays], np.int64)
        return cls(np.concatenate([np.zeros(0, dtype), *arrays]), np.cumsum(lengths))

    def __len__(self) -> int:
        return len(self.ends)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows, and the values of the longest."""
        return len(self), int(self.lengths.max(initial=0))

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the values."""
        return self.values.dtype

    @property
    def lengths(self) -> IntArray:
        """Of each row, (rows,)."""
        return np.diff(self.ends, prepend=0)

    def row(self, index: int) -> np.ndarray:
        """One row, a view."""
        end = int(self.ends[index])
        return self.values[int(self.ends[index - 1]) if index else 0 : end]

    def __getitem__(self, index: slice | IntArray) -> Ragged:
        """Some rows, in the order asked for."""
        chosen = np.arange(len(self))[index]
        lengths = self.lengths[chosen]
        ends = np.cumsum(lengths)
        # Of each value where it comes from: the end of its row there, less how far it is from the end here.
        source = np.repeat(self.ends[chosen] - ends, lengths) + np.arange(int(ends[-1]) if len(ends) else 0)
        return Ragged(self.values[source], ends)

    def padded(self, fill: int = 0, least: int = 1) -> np.ndarray:
        """All rows, right-padded to the longest, (rows, time); time is at least `least`."""
        lengths = self.lengths
        filled = np.full((len(self), max(least, int(lengths.max(initial=0)))), fill, self.values.dtype)
        filled[np.arange(filled.shape[1])[None] < lengths[:, None]] = self.values
        return filled


POOL = 256  # batches whose rows are sorted together
JITTER = 0.1  # of the lengths that they are sorted by


class Buckets(ResumableBatches):
    """Batches of ragged examples for `keras.Model.fit` and `evaluate`.

    A new order each epoch is cut into pools; the rows of a pool are sorted by length, so
    that a batch holds rows of about one length, and then all batches are mixed. So any
    two rows can meet, and little is padded. Without `shuffle` all rows are sorted by
    length, and `rows` says which ones a batch holds.

    Args:
        examples: inputs and targets, `Ragged` or arrays; the first input tells the lengths.
        batch_size: the most rows in a batch.
        tokens: the most tokens in a batch, padding included, but for a single longer row;
            None: any number.
        shuffle: for training.
        seed: of the orders.
    """

    def __init__(
        self, examples: Examples, batch_size: int, tokens: int | None = None, shuffle: bool = False, seed: int = 0
    ):
        super().__init__()
        self.examples = examples
        self.batch_size = batch_size
        self.tokens = tokens
        self.shuffle = shuffle
        self.seed = seed
        self.lengths = self.measure()
        self.seek(0, 0)

    def measure(self) -> IntArray:
        """The length of each example, (examples,), that `tokens` bounds."""
        first = next(iter(self.examples.inputs.values()))
        assert isinstance(first, Ragged)
        return first.lengths

    @property
    def batches_per_epoch(self) -> int:
        """Batches in a whole epoch; with `tokens` it differs a little from epoch to epoch."""
        return len(self._plan)

    @property
    def padding(self) -> float:
        """The share of padding among all tokens of an epoch."""
        filled = sum(len(rows) * max(1, int(self.lengths[rows].max())) for rows in self._plan)
        return 1 - float(self.lengths.sum()) / filled

    def rows(self, index: int) -> IntArray:
        """The examples that a batch holds, in its order."""
        return self._plan[self.start + index]

    def __getitem__(self, index: int) -> Any:
        if index != 1:
            return self.make(index)
        # Keras takes a length for fixed that the first two batches share: as much more padding as it takes.
        first, second, longer = (_sizes(self.make(*which)) for which in ((0,), (1,), (1, 1)))
        lengths = [(a, b) for a, b, c in zip(first, second, longer, strict=True) if b != c]
        return self.make(1, next(n for n in range(len(lengths) + 1) if all(b + n != a for a, b in lengths)))

    def make(self, index: int, extra: int = 0) -> Any:
        """A batch, with some steps of padding beyond its longest row."""
        return self.collate(self.examples.take(self.rows(index)), extra)

    def collate(self, rows: Examples, extra: int = 0) -> Any:
        """A batch: inputs by name, or the only one; targets and, for targets at each step, weights.

        Args:
            rows: the examples.
            extra: steps of padding beyond the longest row.
        """
        width = max(1, int(next(iter(rows.inputs.values())).lengths.max())) + extra
        inputs = {name: _padded(array, width) for name, array in rows.inputs.items()}
        if not isinstance(rows.targets, Ragged):
            return single(inputs), rows.targets
        weights = np.arange(width)[None] < rows.targets.lengths[:, None]
        return single(inputs), rows.targets.padded(least=width), weights.astype(np.float32)

    def _draw(self) -> None:
        self._plan = self._batches()

    def _batches(self) -> list[IntArray]:
        """The examples of each batch."""
        if not self.shuffle:
            every = np.arange(len(self.lengths))
            return self._cut(self.by_length(every, np.ones(len(every))))
        rng = np.random.default_rng((self.seed, self.epoch))
        order, pool = rng.permutation(len(self.lengths)), POOL * self.batch_size
        batches: list[IntArray] = []
        for begin in range(0, len(order), pool):
            part = order[begin : begin + pool]
            jitter = rng.uniform(1, 1 + JITTER, len(part))  # long rows, too, meet others
            batches += self._cut(part[self.by_length(part, jitter)])
        return [batches[i] for i in rng.permutation(len(batches))]

    def by_length(self, rows: IntArray, jitter: FloatArray) -> IntArray:
        """The order in which some examples are cut into batches, long ones first.

        Args:
            rows: the examples.
            jitter: (rows,) factors near 1, so that rows of about one length come in any order.
        """
        return np.argsort(-self.lengths[rows] * jitter, kind="stable")

    def _cut(self, order: IntArray) -> list[IntArray]:
        """Consecutive rows as batches."""
        batches, begin = [], 0
        while begin < len(order):
            most = self.batch_size
            if self.tokens is not None:  # as many as fit beside the longest of them
                longest = np.maximum.accumulate(np.maximum(self.lengths[order[begin : begin + most]], 1))
                most = max(1, int(np.sum(longest * np.arange(1, len(longest) + 1) <= self.tokens)))
            batches.append(order[begin : begin + most])
            begin += most
        return batches


def uneven_width(time: int, index: int) -> int:
    """Steps of the batch `index`, `time` or one more.

    Keras takes a length for fixed that the first two batches share; so one has an even number of steps, the other an
    odd one.
    """
    time = max(1, time)
    return time + (time + index) % 2 if index < 2 else time


def _sizes(batch: Any) -> list[int]:
    """All sizes of all arrays but the number of rows."""
    return [size for array in keras.tree.flatten(batch) for size in array.shape[1:]]


def _padded(array: Any, width: int) -> np.ndarray:
    return array.padded(least=width) if isinstance(array, Ragged) else np.asarray(array)
