"""Ragged arrays and length bucketing: right-padded batches of rows of similar length."""

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
    """Rows of different lengths, stored one after the other.

    Attributes:
        values: Values of all rows, `(values,)`.
        ends: Index in `values` after the last value of each row, `(rows,)`.

    Example:
        >>> from seqtasks.data.bucketing import Ragged
        >>> rows = Ragged.of([[1, 2, 3], [], [4]])
        >>> rows.lengths, rows.shape
        (array([3, 0, 1]), (3, 3))
        >>> rows.padded()
        array([[1, 2, 3],
               [0, 0, 0],
               [4, 0, 0]], dtype=int32)
    """

    values: np.ndarray
    ends: IntArray

    @classmethod
    def of(cls, rows: Iterable[Sequence[int] | IntArray], dtype: str = "int32") -> Ragged:
        """Makes a ragged array from rows of numbers."""
        arrays = [np.asarray(row, dtype) for row in rows]
        lengths = np.array([len(row) for row in arrays], np.int64)
        return cls(np.concatenate([np.zeros(0, dtype), *arrays]), np.cumsum(lengths))

    def __len__(self) -> int:
        return len(self.ends)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and length of the longest row."""
        return len(self), int(self.lengths.max(initial=0))

    @property
    def dtype(self) -> np.dtype[Any]:
        """Data type of the values."""
        return self.values.dtype

    @property
    def lengths(self) -> IntArray:
        """Length of each row, `(rows,)`."""
        return np.diff(self.ends, prepend=0)

    def row(self, index: int) -> np.ndarray:
        """One row, `(length,)`, as a view of `values`."""
        end = int(self.ends[index])
        return self.values[int(self.ends[index - 1]) if index else 0 : end]

    def __getitem__(self, index: slice | IntArray) -> Ragged:
        """The rows of a slice or of an array of indices, in its order."""
        if isinstance(index, slice):
            first, stop, step = index.indices(len(self))
            if step == 1:  # no values are copied, so that those of a mapped file stay there
                begin = int(self.ends[first - 1]) if first else 0
                ends = self.ends[first : max(first, stop)]
                return Ragged(self.values[begin : int(ends[-1]) if len(ends) else begin], ends - begin)
        chosen = np.arange(len(self))[index] if isinstance(index, slice) else np.asarray(index)
        if chosen.dtype == bool:
            chosen = np.flatnonzero(chosen)
        old = self.ends[chosen]
        chosen = np.where(chosen < 0, chosen + len(self), chosen)
        lengths = old - np.where(chosen > 0, self.ends[chosen - 1], 0)
        ends = np.cumsum(lengths)
        # The index of a value in `self.values` is its new index plus the difference of the old and new end of its row.
        source = np.repeat(old - ends, lengths) + np.arange(int(ends[-1]) if len(ends) else 0)
        return Ragged(self.values[source], ends)

    def joined(self, other: Ragged) -> Ragged:
        """These rows and then those of another array."""
        ends = np.concatenate([self.ends, other.ends + len(self.values)])
        return Ragged(np.concatenate([self.values, other.values]), ends)

    def padded(self, fill: int = 0, least: int = 1) -> np.ndarray:
        """All rows, right-padded to the length of the longest, `(rows, time)`.

        Args:
            fill: Value of the padding.
            least: Minimum of `time`.
        """
        lengths = self.lengths
        filled = np.full((len(self), max(least, int(lengths.max(initial=0)))), fill, self.values.dtype)
        filled[np.arange(filled.shape[1])[None] < lengths[:, None]] = self.values
        return filled


POOL = 256  # number of batches whose rows are sorted together
JITTER = 0.1  # maximum relative change of a length before sorting


class Buckets(ResumableBatches):
    """Right-padded batches of ragged examples of similar length for `keras.Model.fit` and `evaluate`.

    With `shuffle`, each epoch draws a new order, cuts it into pools, sorts the rows of each pool by length,
    cuts them into batches and shuffles the batches. Any two rows can share a batch, with little padding.
    Without `shuffle`, all rows are sorted by length; `rows` returns the examples of a batch.

    Ragged inputs and targets are padded with 0. Ragged targets come with weights `(batch, time)`, 1 at
    valid and 0 at padded steps.

    Args:
        examples: Inputs and targets, each a `Ragged` or an array; the first input determines the lengths.
        batch_size: Maximum number of rows in a batch.
        tokens: Maximum number of tokens in a batch, padding included; a longer row is a batch with one row.
            None: no maximum.
        shuffle: Whether each epoch has a new order; true for training.
        seed: Seed of the orders.
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
        """Length of each example, `(examples,)`, by which examples are sorted and `tokens` is counted."""
        first = next(iter(self.examples.inputs.values()))
        assert isinstance(first, Ragged)
        return first.lengths

    @property
    def batches_per_epoch(self) -> int:
        """Number of batches in a whole epoch; with `tokens` it varies slightly between epochs."""
        return len(self._plan)

    @property
    def padding(self) -> float:
        """Fraction of padding among all tokens of an epoch."""
        filled = sum(len(rows) * max(1, int(self.lengths[rows].max())) for rows in self._plan)
        return 1 - float(self.lengths.sum()) / filled

    def rows(self, index: int) -> IntArray:
        """Indices of the examples in a batch, `(batch,)`."""
        return self._plan[self.start + index]

    def __getitem__(self, index: int) -> Any:
        if index != 1:
            return self.make(index)
        # Keras infers a static length if the first two batches have equal lengths: pad the second so that it does not.
        first, second, longer = (_sizes(self.make(*arguments)) for arguments in ((0,), (1,), (1, 1)))
        lengths = [(a, b) for a, b, c in zip(first, second, longer, strict=True) if b != c]
        return self.make(1, next(n for n in range(len(lengths) + 1) if all(b + n != a for a, b in lengths)))

    def make(self, index: int, extra: int = 0) -> Any:
        """Makes a batch.

        Args:
            index: Number of the batch.
            extra: Number of padded steps beyond the longest row.
        """
        return self.collate(self.examples.take(self.rows(index)), extra)

    def collate(self, rows: Examples, extra: int = 0) -> Any:
        """Makes a batch of some examples: inputs, targets and, for ragged targets, weights.

        Args:
            rows: The examples.
            extra: Number of padded steps beyond the longest row.

        Returns:
            `(inputs, targets)` or `(inputs, targets, weights)`; ragged arrays become `(batch, time)`.
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
        """Indices of the examples of each batch."""
        if not self.shuffle:
            rows = np.arange(len(self.lengths))
            return self._cut(self.by_length(rows, np.ones(len(rows))))
        rng = np.random.default_rng((self.seed, self.epoch))
        order, pool = rng.permutation(len(self.lengths)), POOL * self.batch_size
        batches: list[IntArray] = []
        for begin in range(0, len(order), pool):
            rows = order[begin : begin + pool]
            jitter = rng.uniform(1, 1 + JITTER, len(rows))  # else the few long rows would always share a batch
            batches += self._cut(rows[self.by_length(rows, jitter)])
        return [batches[i] for i in rng.permutation(len(batches))]

    def by_length(self, rows: IntArray, jitter: FloatArray) -> IntArray:
        """The order in which examples are cut into batches, the longest first, as positions in `rows`.

        Args:
            rows: Indices of the examples, `(rows,)`.
            jitter: Factors of the lengths near 1, `(rows,)`, which shuffle rows of similar length.
        """
        return np.argsort(-self.lengths[rows] * jitter, kind="stable")

    def _cut(self, order: IntArray) -> list[IntArray]:
        """Cuts an order of examples into batches of at most `batch_size` rows and `tokens` tokens."""
        batches, begin = [], 0
        while begin < len(order):
            size = self.batch_size
            if self.tokens is not None:
                longest = np.maximum.accumulate(np.maximum(self.lengths[order[begin : begin + size]], 1))
                size = max(1, int(np.sum(longest * np.arange(1, len(longest) + 1) <= self.tokens)))
            batches.append(order[begin : begin + size])
            begin += size
        return batches


def uneven_width(time: int, index: int) -> int:
    """Steps of the batch `index`, `time` or one more.

    Keras takes a length for fixed that the first two batches share; so one has an even number of steps, the other an
    odd one.
    """
    time = max(1, time)
    return time + (time + index) % 2 if index < 2 else time


def _sizes(batch: Any) -> list[int]:
    """Sizes of all arrays of a batch, without the batch axis."""
    return [size for array in keras.tree.flatten(batch) for size in array.shape[1:]]


def _padded(array: Any, width: int) -> np.ndarray:
    return array.padded(least=width) if isinstance(array, Ragged) else np.asarray(array)
