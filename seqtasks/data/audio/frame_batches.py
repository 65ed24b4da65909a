"""Batches of sequences of audio frames with different lengths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from seqtasks.core.arrays import FloatArray, IntArray
from seqtasks.data.block_files import release
from seqtasks.data.bucketing import Buckets, Ragged, uneven_width
from seqtasks.data.splits import Examples


class Frames(Ragged):
    """Rows of frames with different lengths, stored one after the other.

    Attributes:
        values: Frames of all rows, `(frames, features)`.
        ends: Index in `values` after the last frame of each row, `(rows,)`.
    """

    @classmethod
    def stack(cls, rows: Sequence[FloatArray], width: int) -> Frames:
        """Makes an instance from rows of frames.

        Args:
            rows: Frames of each row, `(time, features)`.
            width: Number of features, needed if there are no rows.
        """
        lengths = np.array([len(row) for row in rows], np.int64)
        return cls(np.concatenate([np.zeros((0, width), np.float32), *rows]), np.cumsum(lengths))

    def __getitem__(self, index: slice | IntArray) -> Frames:
        ragged = super().__getitem__(index)
        return Frames(ragged.values, ragged.ends)

    def padded(self, fill: int = 0, least: int = 1) -> FloatArray:
        """All rows, right-padded to the length of the longest, `(rows, time, features)`.

        Args:
            fill: Value of the padding.
            least: Minimum of `time`.
        """
        lengths = self.lengths
        time = max(least, int(lengths.max(initial=0)))
        filled = np.full((len(self), time, self.values.shape[1]), fill, self.values.dtype)
        filled[np.arange(time)[None] < lengths[:, None]] = self.values
        return filled


class FrameBatches(Buckets):
    """Batches of audio frames, bucketed by length.

    A batch is `(inputs, targets)`. Inputs are `sound`, `(batch, time, features)`, and `mask`, `(batch, time)`, true
    at valid frames. Ragged targets are padded with 0 to the longest of all examples, `(batch, labels)`.

    Args:
        examples: Input `sound`, a `Frames`, and targets, an array or a `Ragged`.
        args: Arguments of `Buckets` after `examples`.
        shift: Maximum number of frames that are removed at each end of a row at random, but at most a quarter of
            the row; applied only with `shuffle`.
        kwargs: Arguments of `Buckets` by name.
    """

    def __init__(self, examples: Examples, *args: Any, shift: int = 0, **kwargs: Any):
        self.shift = shift
        super().__init__(examples, *args, **kwargs)

    def __getitem__(self, index: int) -> Any:
        rows = self.examples.take(self.rows(index))
        frames, targets = rows.inputs["sound"], rows.targets
        release(self.examples.inputs["sound"].values)
        time = frames.shape[1]  # before the shift: a single batch must have the same shape in all epochs
        if self.shift and self.shuffle:
            frames = _shifted(frames, self.shift, np.random.default_rng((self.seed, self.epoch, self.start + index)))
        if isinstance(targets, Ragged):
            targets = targets.padded(least=self.examples.targets.shape[1])
        return padded(frames, uneven_width(time, index)), np.asarray(targets)


def padded(frames: Frames, least: int = 1) -> dict[str, np.ndarray]:
    """Inputs of a model that reads frames: `sound`, `(batch, time, features)`, and `mask`, `(batch, time)`.

    Args:
        frames: Frames of all rows.
        least: Minimum number of steps, padding included.
    """
    filled = frames.padded(least=least)
    return {"sound": filled, "mask": np.arange(filled.shape[1])[None] < frames.lengths[:, None]}


def _shifted(frames: Frames, maximum: int, rng: np.random.Generator) -> Frames:
    """Removes a random number of frames at each end of each row, see `FrameBatches`."""
    limits = np.minimum(maximum, frames.lengths // 4)
    begins = rng.integers(0, limits + 1)
    ends = frames.lengths - rng.integers(0, limits + 1)
    rows = [frames.row(i)[begin:end] for i, (begin, end) in enumerate(zip(begins, ends, strict=True))]
    return Frames.stack(rows, frames.values.shape[1])
