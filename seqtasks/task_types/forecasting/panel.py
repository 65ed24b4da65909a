"""Series of a forecasting run as the arrays that windows are cut from, and checks of their values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from seqtasks.core.arrays import FloatArray
from seqtasks.core.errors import DataError
from seqtasks.data.series.forecast_batches import Panel
from seqtasks.data.series.frequency import Frequency, calendar, following
from seqtasks.data.series.segments import Segments
from seqtasks.data.series.sets import SeriesSet
from seqtasks.task_types.forecasting.settings import ForecastSpec


def panel_of(series: SeriesSet, spec: ForecastSpec, horizon: int, lengths: Any = None) -> Panel:
    """The arrays of series for windows.

    Args:
        series: With the channels and the known covariates of `spec`.
        spec: Of the training data.
        horizon: Steps of known covariates beyond the last value.
        lengths: Steps of each series that have values; None: all.
    """
    lengths = series.values.lengths if lengths is None else lengths
    names = list(series.channels)
    target = [names.index(name) for name in spec.channels]
    known = [names.index(name) for name in spec.known]
    mean, sd = np.array(spec.mean), np.array(spec.sd)
    parts = np.cumsum([len(spec.channels), len(spec.known)])
    frequency = Frequency(**spec.frequency)
    values, covariates = [], []
    for i, length in enumerate(np.asarray(lengths).tolist()):
        row = series.values.row(i)
        values.append(row[:length][:, target])
        extended = np.full((length + horizon, len(known)), np.nan)
        extended[: len(row)] = row[: length + horizon][:, known]
        scaled = (extended - mean[parts[0] : parts[1]]) / sd[parts[0] : parts[1]]
        columns = [np.where(np.isnan(scaled), 0, scaled)]
        if spec.features and series.times is not None:
            times = series.times.row(i)[:length]
            every = np.concatenate([times, following(float(times[-1]), horizon, frequency)])
            columns.append(calendar(every, frequency)[0])
        elif spec.features:
            columns.append(np.zeros((length + horizon, spec.features)))
        covariates.append(np.concatenate(columns, axis=1))
    statics = series.statics if series.statics is not None else np.zeros((len(series), 0))
    scaled = (statics - mean[parts[1] :]) / sd[parts[1] :]
    return Panel(
        Segments.stack(values),
        Segments.stack(covariates),
        np.where(np.isnan(scaled), 0, scaled).astype(np.float32),
        horizon,
        list(mean[: parts[0]]),
        list(spec.measured),
    )


def check_values(series: SeriesSet, channels: Sequence[str], past: Sequence[FloatArray]) -> None:
    every = np.concatenate(past)
    for name, column in zip(channels, every.T, strict=True):
        present = column[~np.isnan(column)]
        if not len(present) or float(np.ptp(present)) == 0:
            problem = "has no value" if not len(present) else f"is always {present[0]:g}"
            raise DataError(
                f"{series.path or 'the data'}, column {name}: it {problem} in the training part; allowed: values that "
                f"vary; leave it out with options.ignore={name}"
            )


def expected_spread(moved: Sequence[FloatArray], sd: FloatArray, season: int) -> float:
    """Scale around the level that is expected, in units of `sd`: of differences, or of the last season."""
    squares = []
    for row in moved:
        scaled = row / sd
        if season > 1 and len(scaled) > season:
            sums = np.lib.stride_tricks.sliding_window_view(scaled, season, axis=0).mean(axis=-1)
            gaps = scaled[season - 1 :] - sums
        else:
            gaps = np.diff(scaled, axis=0)
        squares.append((gaps[~np.isnan(gaps)] ** 2).ravel())
    every = np.concatenate(squares)
    return float(np.sqrt(every.mean())) if len(every) and every.any() else 1.0
