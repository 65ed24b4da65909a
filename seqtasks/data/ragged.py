"""Rows of different lengths in one flat array."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class Ragged:
    """Rows one after the other.

    Attributes:
        values: of all rows, (values,).
        ends: where each row ends, (rows,).
    """

    values: np.ndarray
    ends: np.ndarray

    @classmethod
    def of(cls, rows: Iterable[Sequence[int] | np.ndarray], dtype: str = "int32") -> Ragged:
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
    def lengths(self) -> np.ndarray:
        """Of each row, (rows,)."""
        return np.diff(self.ends, prepend=0)

    def row(self, index: int) -> np.ndarray:
        """One row, a view."""
        end = int(self.ends[index])
        return self.values[int(self.ends[index - 1]) if index else 0 : end]

    def __getitem__(self, index: slice | np.ndarray) -> Ragged:
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
