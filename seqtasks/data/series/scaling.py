"""Scaling of series, fitted on training data only, and filling of missing values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from seqtasks.core.arrays import BoolArray, FloatArray
from seqtasks.core.errors import DataError
from seqtasks.data.block_files import release
from seqtasks.data.series.segments import Segments
from seqtasks.data.series.sets import SeriesSet

BLOCK = 1 << 20  # steps that are looked at together


@dataclass(frozen=True)
class Scaling:
    """Means and standard deviations of training series; stored in the run.

    Attributes:
        mean: Of each channel over the steps with a value, (channels,).
        sd: Standard deviation of each channel, (channels,).
        missing: Share of missing values of each channel, (channels,).
        gap: Mean gap between two steps; 0: the series have no times.
        static_mean: Of each static covariate, (statics,).
        static_sd: Standard deviation of each static covariate, (statics,).
    """

    mean: Sequence[float]
    sd: Sequence[float]
    missing: Sequence[float]
    gap: float = 0.0
    static_mean: Sequence[float] = ()
    static_sd: Sequence[float] = ()

    @classmethod
    def fit(cls, series: SeriesSet) -> Scaling:
        """The scaling of training series.

        Raises:
            DataError: A channel or covariate is constant or has no value.

        Example:
            >>> walks = SeriesSet(Segments.stack([[[1.0], [np.nan]], [[3.0]]]), ["x"])
            >>> scaling = Scaling.fit(walks)
            >>> scaling.mean, scaling.sd
            ([2.0], [1.0])
        """
        mean, sd, missing, low, high = _moments(series.values)
        _check(series, series.channels, low, high, "channel")
        gap = 0.0
        if series.times is not None:
            rows = [series.times.row(i) for i in range(len(series))]
            total, count = sum(float(row[-1] - row[0]) for row in rows), sum(len(row) - 1 for row in rows)
            gap = total / count if count else 0.0
        statics = series.statics
        if statics is None:
            return cls(mean.tolist(), sd.tolist(), missing.tolist(), gap)
        numbers = statics.astype(np.float64)
        present = ~np.isnan(numbers)
        low, high = (
            np.where(present, numbers, fill).min(axis=0) if fill > 0 else np.where(present, numbers, fill).max(axis=0)
            for fill in (np.inf, -np.inf)
        )
        _check(series, series.static_names, low, high, "static covariate")
        return cls(
            mean.tolist(), sd.tolist(), missing.tolist(), gap,
            np.nanmean(numbers, axis=0).tolist(), np.nanstd(numbers, axis=0).tolist(),
        )  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """The numbers as JSON has them."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Scaling:
        """The scaling that `to_dict` gave."""
        return cls(**values)

    def scaled(self, values: FloatArray) -> FloatArray:
        """Values (…, channels) with mean 0 and standard deviation 1 in training."""
        return np.asarray((values - np.array(self.mean)) / np.array(self.sd))

    def unscaled(self, values: FloatArray) -> FloatArray:
        """Scaled values (…, channels) in original units."""
        return np.asarray(values * np.array(self.sd) + np.array(self.mean))


def forward_filled(values: FloatArray, first: Sequence[float], mask: BoolArray) -> tuple[FloatArray, BoolArray]:
    """Series with each missing value replaced by the last one before it.

    Args:
        values: (rows, time, channels), NaN where a value is missing.
        first: What stands before the first value of a channel, (channels,).
        mask: True at valid steps, (rows, time); padding becomes 0.

    Returns:
        The filled series, and where a value was measured, both (rows, time, channels).

    Example:
        >>> x = np.array([[[np.nan], [2.0], [np.nan], [0.0]]])
        >>> filled, measured = forward_filled(x, [5.0], np.array([[True, True, True, False]]))
        >>> filled[0, :, 0].tolist(), measured[0, :, 0].tolist()
        ([5.0, 2.0, 2.0, 0.0], [False, True, False, False])
    """
    measured = ~np.isnan(values) & mask[..., None]
    steps = np.where(measured, np.arange(values.shape[1])[None, :, None], -1)
    last = np.maximum.accumulate(steps, axis=1)
    filled = np.take_along_axis(values, np.maximum(last, 0), axis=1)
    filled = np.where(last >= 0, filled, np.asarray(first, values.dtype))
    return np.where(mask[..., None], filled, 0).astype(values.dtype), measured


def gaps(times: Segments, unit: float = 1.0, least: int = 1) -> FloatArray:
    """Time since the step before, float32 (rows, time); 0 at first steps and at padding.

    Args:
        times: Times of each series.
        unit: Gap that counts as 1, such as the mean gap of the training series.
        least: Steps of the result at least.

    Example:
        >>> gaps(Segments.stack([[0.0, 1.0, 4.0]], "float64")).tolist()
        [[0.0, 1.0, 3.0]]
    """
    padded = times.padded(least)
    since = np.diff(padded, axis=1, prepend=padded[:, :1]) / (unit or 1.0)
    return np.where(times.mask(least), since, 0).astype(np.float32)


def _moments(values: Segments) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]:
    """Mean, standard deviation, share of missing values, least and largest value of each channel."""
    width = values.steps.shape[1]
    count, total, squares = np.zeros(width), np.zeros(width), np.zeros(width)
    low, high, shift, steps = np.full(width, np.inf), np.full(width, -np.inf), np.zeros(width), 0
    for block in _blocks(values):
        x = block.astype(np.float64)
        present = ~np.isnan(x)
        if not steps:  # sums of squares around 0 would lose the digits of channels far from it
            here = present.sum(axis=0)
            shift = np.where(present, x, 0).sum(axis=0) / np.maximum(here, 1)
        off = np.where(present, x - shift, 0)
        count, total, squares = count + present.sum(axis=0), total + off.sum(axis=0), squares + (off**2).sum(axis=0)
        low = np.minimum(low, np.where(present, x, np.inf).min(axis=0))
        high = np.maximum(high, np.where(present, x, -np.inf).max(axis=0))
        steps += len(x)
    mean = total / np.maximum(count, 1)
    sd = np.sqrt(np.maximum(squares / np.maximum(count, 1) - mean**2, 0))
    return shift + mean, sd, 1 - count / max(1, steps), low, high


def _blocks(values: Segments) -> Iterator[np.ndarray]:
    """The steps of all rows, some rows at a time, in the order in which they are stored."""
    order, begin = np.argsort(values.begins, kind="stable"), 0
    while begin < len(order):
        lengths = np.cumsum(values.lengths[order[begin:]])
        end = begin + max(1, int(np.searchsorted(lengths, BLOCK, side="right")))
        yield np.concatenate([values.row(int(i)) for i in order[begin:end]])
        release(values.steps)
        begin = end


def _check(series: SeriesSet, names: Sequence[str], low: FloatArray, high: FloatArray, what: str) -> None:
    for name, least, most in zip(names, low, high, strict=True):
        if not least < most:
            problem = "has no value in the training series" if least > most else f"is {least:g} in all training series"
            raise DataError(
                f"{series.path or 'the data'}, column {name}: the {what} {problem}; allowed: values that vary; leave "
                f"it out with options.ignore={name}"
            )
