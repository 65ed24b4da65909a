"""Scores of forecasts: MASE, RMSE, MAE, sMAPE, CRPS, coverage of intervals."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from seqtasks.core.arrays import FloatArray

# Levels at which a Gaussian forecast is scored and, after a transformation, stored.
GRID = tuple(round(i / 100, 2) for i in range(1, 100))
INTERVAL = (0.1, 0.9)  # an interval of 80 %


@dataclass(frozen=True)
class Forecasts:
    """Quantiles of forecasts in original units.

    Attributes:
        quantiles: `(examples, horizon, channels, levels)`, increasing along the last axis.
        levels: Level of each quantile; 0.1, 0.5 and 0.9 are among them.
    """

    quantiles: FloatArray
    levels: tuple[float, ...]

    @property
    def point(self) -> FloatArray:
        """The median, `(examples, horizon, channels)`."""
        return self.at(0.5)

    def at(self, level: float) -> FloatArray:
        """A quantile, `(examples, horizon, channels)`."""
        return np.asarray(self.quantiles[..., self.levels.index(level)])

    @classmethod
    def gaussian(cls, mean: FloatArray, sd: FloatArray) -> Forecasts:
        """Normal distributions, as quantiles.

        Args:
            mean: `(examples, horizon, channels)`.
            sd: Standard deviations, of the same shape.
        """
        z = np.array([NormalDist().inv_cdf(level) for level in GRID])
        return cls(mean[..., None] + sd[..., None] * z, GRID)


def forecast_scores(forecasts: Forecasts, targets: FloatArray, scale: FloatArray) -> dict[str, float]:
    """Scores of forecasts; missing targets are left out.

    `mase` is the mean absolute error of the median, each divided by `scale` (Hyndman & Koehler 2006); `smape` is in
    percent; `crps`, the continuous ranked probability score, is twice the mean quantile loss over the levels, in the
    units of the series; `coverage_80` is the share of targets between the quantiles 0.1 and 0.9.

    Args:
        forecasts: Of `(examples, horizon, channels)`.
        targets: `(examples, horizon, channels)`, NaN where missing.
        scale: Mean absolute error of the seasonal naive forecast on the past of each series, `(examples, channels)`.

    Example:
        >>> forecasts = Forecasts(np.array([1.0, 2.0, 4.0]).reshape(1, 1, 1, 3), (0.1, 0.5, 0.9))
        >>> scores = forecast_scores(forecasts, np.array([[[3.0]]]), np.array([[2.0]]))
        >>> scores["mase"], scores["mae"], scores["coverage_80"]
        (0.5, 1.0, 1.0)
    """
    valid = ~np.isnan(targets)
    y = targets[valid]
    error = y - forecasts.point[valid]
    absolute = np.abs(error)
    scales = np.broadcast_to(scale[:, None], targets.shape)[valid]
    size = np.abs(y) + np.abs(forecasts.point[valid])
    levels, quantiles = np.array(forecasts.levels), forecasts.quantiles[valid]
    behind = y[:, None] - quantiles
    pinball = np.maximum(levels * behind, (levels - 1) * behind)
    low, high = (forecasts.at(level)[valid] for level in INTERVAL)
    return {
        "mase": float(np.mean(absolute / scales)),
        "rmse": float(np.sqrt(np.mean(error**2))),
        "mae": float(np.mean(absolute)),
        "smape": float(200 * np.mean(np.divide(absolute, size, out=np.zeros_like(size), where=size > 0))),
        "crps": float(2 * np.mean(pinball)),
        "coverage_80": float(np.mean((low <= y) & (y <= high))),
    }


def forecast_terms(forecasts: Forecasts, targets: FloatArray, scale: FloatArray) -> tuple[FloatArray, str]:
    """Sum and number of the scaled errors of each example, which make up MASE.

    Args:
        forecasts: Of `(examples, horizon, channels)`.
        targets: `(examples, horizon, channels)`, NaN where missing.
        scale: As for `forecast_scores`, `(examples, channels)`.

    Returns:
        `(examples, 2)`, and the name of the formula, "mean".
    """
    valid = ~np.isnan(targets)
    errors = np.where(valid, np.abs(targets - forecasts.point) / scale[:, None], 0.0)
    return np.stack([errors.sum(axis=(1, 2)), valid.sum(axis=(1, 2))], axis=-1), "mean"


def naive_error(values: FloatArray, season: int) -> FloatArray:
    """Mean absolute error of the seasonal naive forecast, the scale of MASE, `(channels,)`.

    A series that is too short for its season is scaled by the mean absolute difference of successive values; one
    that is constant, by 1.

    Args:
        values: `(time, channels)`, NaN where missing.
        season: Steps of the season; 1: the last value is the forecast.

    Example:
        >>> naive_error(np.array([[1.0], [2.0], [4.0]]), 1).tolist()
        [1.5]
    """
    scale = np.full(values.shape[1], np.nan)
    for lag in dict.fromkeys((season, 1)):
        gaps = np.abs(values[lag:] - values[:-lag])
        valid = ~np.isnan(gaps)
        mean = np.where(valid, gaps, 0).sum(axis=0) / np.maximum(valid.sum(axis=0), 1)
        scale = np.where(np.isnan(scale) & (mean > 0), mean, scale)
    return np.where(np.isnan(scale), 1.0, scale)
