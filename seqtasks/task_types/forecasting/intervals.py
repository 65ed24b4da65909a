"""Widths of forecast intervals: calibrated on the validation split, and added up where forecasts are fed back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seqtasks.core.arrays import FloatArray
from seqtasks.layers.forecasting import LEVELS
from seqtasks.task_types.forecasting.model import median
from seqtasks.task_types.forecasting.scores import INTERVAL

FACTOR_LIMITS = 0.5, 2.0  # of the calibration of learnt intervals, as the validation split may be a time of crisis


def interval_ratio(outputs: FloatArray, targets: FloatArray, head: str) -> FloatArray:
    """Distance of targets from the median in units of the half-width of the interval of 80 % on that side.

    Args:
        outputs: Forecasts, `(examples, horizon, channels, numbers)`.
        targets: `(examples, horizon, channels)`, NaN where missing.
        head: `ForecastOptions.head`.
    """
    if head == "gaussian":
        half = 1.2815515655446004 * outputs[..., 1]  # of the normal distribution
        return np.asarray(np.abs(targets - outputs[..., 0]) / half)
    levels = LEVELS[head]
    middle, low, high = (outputs[..., levels.index(level)] for level in (0.5, *INTERVAL))
    half = np.where(targets > middle, high - middle, middle - low)
    return np.asarray(np.abs(targets - middle) / np.maximum(half, 1e-12))


def calibrated(factors: FloatArray, ratio: FloatArray, by_step: bool) -> FloatArray:
    """Factors of the intervals that cover 80 % of the targets.

    Args:
        factors: With which the intervals were made, `(horizon,)`.
        ratio: Of `interval_ratio`, `(examples, horizon, channels)`.
        by_step: Whether each step ahead has a factor of its own, from that step and its neighbours.

    Example:
        >>> calibrated(np.ones(1), np.arange(0.0, 1.1, 0.1).reshape(11, 1, 1), False).round(3).tolist()
        [0.8]
    """
    coverage = INTERVAL[1] - INTERVAL[0]
    new = np.array(factors, np.float64)
    for h in range(len(new)):
        part = ratio[:, max(0, h - 2) : h + 3] if by_step else ratio
        here = factors[max(0, h - 2) : h + 3, None] if by_step else factors[:, None]
        scaled = (part * here)[~np.isnan(part)] if by_step else part[~np.isnan(part)] * factors[0]
        if len(scaled):
            new[h] = max(float(np.quantile(scaled, coverage)), 1e-3)
    return new if by_step else np.clip(new, *FACTOR_LIMITS)


def with_errors_added(blocks: Sequence[FloatArray], head: str, factors: FloatArray) -> FloatArray:
    """The blocks of a forecast one after the other, `(rows, steps, channels, numbers)`; see `forecast_outputs`."""
    ahead = blocks[0].shape[1]
    if ahead == 1 and len(factors) > 1:  # fed back: the variance of so many steps, calibrated for each step ahead
        grown = []
        for h, block in enumerate(blocks):
            factor = float(factors[min(h, len(factors) - 1)] / factors[0]) * np.sqrt(h + 1)
            grown.append(_moved(block, head, factor * _widths(block, head)))
        return np.concatenate(grown, axis=1)
    made = [blocks[0]]
    for block in blocks[1:]:
        widths = _widths(block, head)
        made.append(_moved(block, head, np.sign(widths) * np.hypot(widths, _widths(made[-1][:, -1:], head))))
    return np.concatenate(made, axis=1)


def _widths(block: FloatArray, head: str) -> FloatArray:
    """Distances of the quantiles from the median, or 0 and the standard deviation."""
    if head == "gaussian":
        return np.concatenate([0 * block[..., :1], block[..., 1:]], axis=-1)
    return block - block[..., median(head), None]


def _moved(block: FloatArray, head: str, widths: FloatArray) -> FloatArray:
    """The block with other widths."""
    return np.asarray(block - _widths(block, head) + widths)
