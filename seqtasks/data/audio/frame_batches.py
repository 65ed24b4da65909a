"""Batches of frame sequences of different lengths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from seqtasks.core.arrays import FloatArray, IntArray
from seqtasks.data.bucketing import Buckets, Ragged, uneven_width
from seqtasks.data.splits import Examples


class Frames(Ragged):
    """Rows one after the other.

    Attributes:
        values: of all rows, (frames, width).
        ends: where each row ends, (rows,).
    """

    @classmethod
    def stack(cls, rows: Sequence[FloatArray], width: int) -> Frames:
        """From rows (frames, width)."""
        lengths = np.array([len(row) for row in rows], np.int64)
        return cls(np.concatenate([np.zeros((0, width), np.float32), *rows]), np.cumsum(lengths))

    def __getitem__(self, index: slice | IntArray) -> Frames:
        ragged = super().__getitem__(index)
        return Frames(ragged.values, ragged.ends)

    def padded(self, fill: int = 0, least: int = 1) -> FloatArray:
        """All rows, right-padded to the longest, (rows, time, width); time is at least `least`."""
        lengths = self.lengths
        time = max(least, int(lengths.max(initial=0)))
        filled = np.full((len(self), time, self.values.shape[1]), fill, self.values.dtype)
        filled[np.arange(time)[None] < lengths[:, None]] = self.values
        return filled


class FrameBatches(Buckets):
    """Inputs `sound` (batch, time, width) and `mask` (batch, time), true at real frames; targets as they are.

    Args:
        examples: `sound` and targets.
        shift: in training each row loses up to so many frames at either end, but never more than half of it.
        how: of `Buckets`.
    """

    def __init__(self, examples: Examples, *how: Any, shift: int = 0, **keywords: Any):
        self.shift = shift
        super().__init__(examples, *how, **keywords)

    def __getitem__(self, index: int) -> Any:
        rows = self.examples.take(self.rows(index))
        frames, targets = rows.inputs["sound"], rows.targets
        time = frames.shape[1]  # of what is not shifted: where there is one batch, all epochs share its shape
        if self.shift and self.shuffle:
            frames = _shifted(frames, self.shift, np.random.default_rng((self.seed, self.epoch, self.start + index)))
        if isinstance(targets, Ragged):
            targets = targets.padded(least=self.examples.targets.shape[1])
        return padded(frames, uneven_width(time, index)), np.asarray(targets)


def padded(frames: Frames, least: int = 1) -> dict[str, np.ndarray]:
    """The inputs of a model that reads frames.

    Args:
        frames: of all rows.
        least: steps, padding included.
    """
    filled = frames.padded(least=least)
    return {"sound": filled, "mask": np.arange(filled.shape[1])[None] < frames.lengths[:, None]}


def _shifted(frames: Frames, most: int, rng: np.random.Generator) -> Frames:
    least = np.minimum(most, frames.lengths // 4)
    begins = rng.integers(0, least + 1)
    ends = frames.lengths - rng.integers(0, least + 1)
    rows = [frames.row(i)[begin:end] for i, (begin, end) in enumerate(zip(begins, ends, strict=True))]
    return Frames.stack(rows, frames.values.shape[1])
