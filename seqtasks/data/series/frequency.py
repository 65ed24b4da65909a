"""Frequency of time stamps: the season that belongs to it, the next times, and calendar features."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seqtasks.core.arrays import FloatArray

DAY = 86_400.0


@dataclass(frozen=True)
class Frequency:
    """How often steps come.

    Attributes:
        name: `yearly`, `monthly`, …; `every X` for other gaps; empty: the steps have no dates.
        season: Steps of the season that is usual for it; 1: none.
        months: Months between two steps; 0: a fixed gap.
        gap: Seconds, or units of time of the file, between two steps.
    """

    name: str
    season: int
    months: int
    gap: float


_NAMED = [  # name, least and greatest gap in seconds, season, months
    ("yearly", 360 * DAY, 370 * DAY, 1, 12),
    ("quarterly", 88 * DAY, 93 * DAY, 4, 3),
    ("monthly", 28 * DAY, 31 * DAY, 12, 1),
    ("weekly", 7 * DAY, 7 * DAY, 52, 0),
    ("daily", DAY, DAY, 7, 0),
    ("hourly", 3600.0, 3600.0, 24, 0),
    ("half-hourly", 1800.0, 1800.0, 48, 0),
    ("every 15 minutes", 900.0, 900.0, 96, 0),
    ("every 10 minutes", 600.0, 600.0, 144, 0),
]


def frequency_of(times: FloatArray, dated: bool) -> Frequency:
    """The frequency of a series.

    Args:
        times: Increasing, (time,), seconds since 1970 if `dated`; two at least.
        dated: Whether they are dates.

    Example:
        >>> frequency_of(np.arange(10) * 86_400.0, dated=True).season
        7
    """
    gap = float(np.median(np.diff(times)))
    if not dated:
        return Frequency("", 1, 0, gap)
    for name, low, high, season, months in _NAMED:
        if low * 0.999 <= gap <= high * 1.001:
            return Frequency(name, season, months, gap)
    return Frequency(f"every {gap:g} s", 1, 0, gap)


def following(last: float, count: int, frequency: Frequency) -> FloatArray:
    """The times of the next steps, (count,).

    Args:
        last: Time of the last step.
        count: Number of steps.
        frequency: Of the series.

    Example:
        >>> january = frequency_of(np.array([0.0, 31 * DAY, 59 * DAY]), dated=True)
        >>> (following(59 * DAY, 2, january) / DAY).tolist()
        [90.0, 120.0]
    """
    if not frequency.months:
        return np.asarray(last + frequency.gap * np.arange(1, count + 1))
    import pandas as pd

    begin = pd.Timestamp(last, unit="s", tz="UTC")
    months = [begin + pd.DateOffset(months=frequency.months * i) for i in range(1, count + 1)]
    return np.array([(month - pd.Timestamp(0, tz="UTC")).total_seconds() for month in months])


def calendar(times: FloatArray, frequency: Frequency) -> tuple[FloatArray, list[str]]:
    """Calendar features of dates: sine and cosine of the place in the year, the week and the day.

    Only cycles longer than two steps are features: a series of months has no place in the week.

    Args:
        times: Seconds since 1970, (time,).
        frequency: Of the series.

    Returns:
        float32 (time, features), and their names.
    """
    import pandas as pd

    dates = pd.to_datetime(times, unit="s", utc=True)
    second = np.asarray(dates.hour * 3600 + dates.minute * 60 + dates.second, np.float64)
    day = np.asarray(dates.day_of_year, np.float64) - 1 + second / DAY
    if frequency.months:  # whole months, so that the place does not depend on leap years
        day = (np.asarray(dates.month, np.float64) - 1) / 12 * 365.2425
    cycles = {"year": (day / 365.2425, 365 * DAY), "day": (second / DAY, DAY)}
    cycles["week"] = ((np.asarray(dates.day_of_week, np.float64) + second / DAY) / 7, 7 * DAY)
    columns, names = [], []
    for name, (phase, length) in cycles.items():
        if length < 2.5 * frequency.gap:
            continue
        columns += [np.sin(2 * np.pi * phase), np.cos(2 * np.pi * phase)]
        names += [f"sine of the {name}", f"cosine of the {name}"]
    made = np.stack(columns, axis=1) if columns else np.zeros((len(times), 0))
    return made.astype(np.float32), names
