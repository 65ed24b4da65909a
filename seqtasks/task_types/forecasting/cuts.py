"""Cuts of series in time: training windows, and the origins of validation and test forecasts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seqtasks.core.arrays import IntArray
from seqtasks.core.errors import ConfigError

MANY = 10  # series from which on one horizon of each is enough to test on
SHARE = 5  # of fewer series the last fifth is the test split, and the fifth before it is for validation
LEAST = 3  # steps of a training series
WINDOWS = 2000  # training windows beyond which they do not begin at each step


@dataclass(frozen=True)
class Cuts:
    """Where series are cut: training, then validation, then test.

    Attributes:
        series: Numbers of the series that are long enough, `(kept,)`.
        train: Steps of the training part of each, `(kept,)`.
        validation: Step at which its validation part ends, `(kept,)`.
        length: Its length, `(kept,)`.
    """

    series: IntArray
    train: IntArray
    validation: IntArray
    length: IntArray


def cut(lengths: IntArray, horizon: int, test: int | None = None) -> Cuts:
    """Cuts each series at its end, so that no step of training follows one of validation or test.

    Args:
        lengths: Of all series, `(series,)`.
        horizon: Steps ahead.
        test: Steps of the test part, and of the validation part; None: a fifth of the series, but one horizon at
            least, and just that of ten series or more.

    Raises:
        ConfigError: No series is long enough.

    Example:
        >>> cuts = cut(np.array([100, 20]), 12)
        >>> cuts.series.tolist(), cuts.train.tolist(), cuts.validation.tolist()
        ([0], [60], [80])
    """
    held = np.full(len(lengths), horizon) if len(lengths) >= MANY else np.maximum(lengths // SHARE, horizon)
    if test is not None:
        held = np.full(len(lengths), max(test, horizon))
    kept = np.flatnonzero(lengths - 2 * held >= LEAST)
    if not len(kept):
        longest = int(lengths.max())
        held_longest = int(held[lengths.argmax()])
        raise ConfigError(
            f"options.horizon is {horizon}, but the longest series has {longest} steps; allowed: up to "
            f"{max(0, (longest - LEAST) // 2)}, as validation and test need {held_longest} steps each and training "
            f"{LEAST}; set a smaller options.horizon, or give longer series"
        )
    length = lengths[kept]
    return Cuts(kept, length - 2 * held[kept], length - held[kept], length)


def training_windows(train: IntArray, window: int) -> tuple[IntArray, IntArray, IntArray]:
    """Windows of the training parts.

    Args:
        train: Steps of the training part of each series, `(series,)`.
        window: Steps of a window at most.

    Returns:
        Position of the series, first step, and the step after the last, `(windows,)` each. One training step at
        least follows each window.
    """
    total = int(np.maximum(train - window, 1).sum())
    stride = max(1, total // WINDOWS)
    series, begins, ends = [], [], []
    for number, steps in enumerate(train.tolist()):
        last = steps - 1
        for end in range(last, min(window, last) - 1, -stride):
            series.append(number)
            begins.append(max(0, end - window))
            ends.append(end)
    return np.array(series), np.array(begins), np.array(ends)


def origins(low: IntArray, high: IntArray, horizon: int, window: int, most: int) -> tuple[IntArray, IntArray, IntArray]:
    """Windows that end at the origins of forecasts whose targets lie in a part of the series.

    Args:
        low: First step of the part of each series, `(series,)`.
        high: The step after its last one, `(series,)`.
        horizon: Steps ahead.
        window: Steps of a window at most.
        most: Origins of a series at most, spread evenly.

    Returns:
        As `training_windows`.
    """
    series, ends = [], []
    for number, (first, last) in enumerate(zip(low.tolist(), (high - horizon).tolist(), strict=True)):
        chosen = np.unique(np.linspace(first, last, min(most, last - first + 1)).round().astype(np.int64))
        series += [number] * len(chosen)
        ends += chosen.tolist()
    stops = np.array(ends)
    return np.array(series), np.maximum(0, stops - window), stops
