"""Logarithms of the channels of series whose spread grows with their level."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seqtasks.core.arrays import FloatArray

GROWTH = 1.5  # ratio of the levels of a series, from which on a growing spread can be seen
SLOPE = 0.5  # of the logarithm of the spread against that of the level, from which on logarithms are taken
FLOOR = 0.1  # of the smallest value in training; values below that are read as that


def chosen_floors(past: Sequence[FloatArray], season: int, transform: str) -> list[float]:
    """The smallest value of each channel that a logarithm is taken of; 0: the channel is left as it is.

    Args:
        past: Training part of each series, `(time, channels)`, NaN where missing.
        season: Steps of the season.
        transform: `none`; `log`: every channel, whose values must be positive; `auto`: the positive channels whose
            spread grows about in proportion to their level.

    Example:
        >>> grown = np.exp(np.arange(60)) * np.tile([1.0, 1.5], 30)
        >>> chosen_floors([np.stack([grown, np.sin(np.arange(60))], axis=1)], 1, "auto")
        [0.1, 0.0]
    """
    floors = []
    for channel in range(past[0].shape[1]):
        rows = [row[:, channel] for row in past]
        taken = transform == "log" or (transform == "auto" and grows(rows, season))
        floors.append(FLOOR * min(float(np.nanmin(row)) for row in rows if len(row)) if taken else 0.0)
    return floors


def grows(past: Sequence[FloatArray], season: int) -> bool:
    """Whether the spread of positive series grows about in proportion to their level.

    Args:
        past: Values of each series, `(time,)`, NaN where missing.
        season: Steps of the season.
    """
    if min(float(np.nanmin(row)) if (~np.isnan(row)).any() else 0.0 for row in past) <= 0:
        return False
    block = max(season, 6)
    levels, spreads = [], []
    for row in past:
        for begin in range(0, len(row) - block + 1, block):
            part = row[begin : begin + block]
            if np.isnan(part).any():
                continue
            levels.append(part.mean())
            spreads.append(max(np.abs(np.diff(part)).mean(), 1e-12))
    if len(levels) < 3:
        return False
    level, spread = np.log(np.array(levels)), np.log(np.array(spreads))
    if float(np.exp(np.ptp(level))) < GROWTH:
        return False
    off = level - level.mean()
    return bool((off * (spread - spread.mean())).sum() / (off**2).sum() > SLOPE)


def to_logarithms(values: FloatArray, floors: Sequence[float]) -> FloatArray:
    """Values as the model sees them: logarithms of the channels with a floor, the others as they are.

    Args:
        values: `(..., channels)`.
        floors: Of `chosen_floors`.

    Example:
        >>> to_logarithms(np.array([[1.0, -3.0], [0.0, 2.0]]), [0.5, 0.0]).round(2).tolist()
        [[0.0, -3.0], [-0.69, 2.0]]
    """
    floor = np.array(floors)
    return np.where(floor > 0, np.log(np.maximum(values, np.where(floor > 0, floor, 1.0))), values)


def from_logarithms(values: FloatArray, floors: Sequence[float]) -> FloatArray:
    """The inverse of `to_logarithms`, with channels as the last axis.

    Example:
        >>> from_logarithms(np.array([[0.0, -3.0]]), [0.5, 0.0]).tolist()
        [[1.0, -3.0]]
    """
    floor = np.array(floors)
    return np.where(floor > 0, np.exp(np.where(floor > 0, values, 0.0)), values)
