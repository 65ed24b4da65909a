"""Rows of consecutive steps of one array, right-padded in batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqtasks.core.arrays import BoolArray, IntArray


@dataclass(frozen=True, eq=False)
class Segments:
    """Rows of different lengths, each a run of consecutive steps of one array that all of them share.

    A choice of rows copies no steps, so the array may be mapped from disk; rows may overlap, as windows do.

    Attributes:
        steps: (all steps, …), e.g. (all steps, channels).
        begins: First step of each row, (rows,).
        lengths: Number of steps of each row, (rows,).

    Example:
        >>> import numpy as np
        >>> from seqtasks.data.series.segments import Segments
        >>> series = np.arange(5.0)[:, None]  # (time, channels)
        >>> windows = Segments(series, np.array([0, 1, 2]), np.array([3, 3, 3]))
        >>> windows.row(1)[:, 0].tolist()
        [1.0, 2.0, 3.0]
        >>> windows[np.array([2])].padded(least=4)[0, :, 0].tolist()
        [2.0, 3.0, 4.0, 0.0]
    """

    steps: np.ndarray
    begins: IntArray
    lengths: IntArray

    @classmethod
    def stack(cls, rows: Sequence[np.ndarray], dtype: Any = "float32") -> Segments:
        """One array of rows (time, …); there is one row at least."""
        arrays = [np.asarray(row, dtype) for row in rows]
        lengths = np.array([len(row) for row in arrays], np.int64)
        return cls(np.concatenate(arrays), np.cumsum(lengths) - lengths, lengths)

    def __len__(self) -> int:
        return len(self.begins)

    def __getitem__(self, index: slice | IntArray) -> Segments:
        """Some rows, in the order asked for; their steps are not copied."""
        return Segments(self.steps, self.begins[index], self.lengths[index])

    def joined(self, other: Segments) -> Segments:
        """These rows and then those of `other`; steps are copied unless both share their array."""
        apart = self.steps is not other.steps
        steps = np.concatenate([self.steps, other.steps]) if apart else self.steps
        begins = np.concatenate([self.begins, other.begins + apart * len(self.steps)])
        return Segments(steps, begins, np.concatenate([self.lengths, other.lengths]))

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows, the steps of the longest, and the other axes."""
        return (len(self), int(self.lengths.max(initial=0)), *self.steps.shape[1:])

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the steps."""
        return self.steps.dtype

    def row(self, index: int) -> np.ndarray:
        """One row, a view, (time, …)."""
        begin = int(self.begins[index])
        return self.steps[begin : begin + int(self.lengths[index])]

    def padded(self, least: int = 1, fill: float = 0) -> np.ndarray:
        """All rows, right-padded to the longest, (rows, time, …); time is at least `least`."""
        time = max(least, int(self.lengths.max(initial=0)))
        filled = np.full((len(self), time, *self.steps.shape[1:]), fill, self.steps.dtype)
        for number in range(len(self)):
            filled[number, : self.lengths[number]] = self.row(number)
        return filled

    def mask(self, least: int = 1) -> BoolArray:
        """True at the steps of each row, false at padding, (rows, time), as `padded` has them."""
        time = max(least, int(self.lengths.max(initial=0)))
        return np.asarray(np.arange(time)[None] < self.lengths[:, None])
