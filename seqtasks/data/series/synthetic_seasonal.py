"""Seasonal series with autocorrelated noise: a built-in set to forecast, with a known best score."""

from __future__ import annotations

import numpy as np

from seqtasks.data.cache import fingerprint
from seqtasks.data.series.segments import Segments
from seqtasks.data.series.sets import SeriesData, SeriesSet

SERIES, STEPS, SEASON = 20, 144, 12
PHI = 0.8  # autocorrelation of the noise


def best_mase(horizon: int, season: int = SEASON, phi: float = PHI) -> float:
    """The expected MASE of the best forecast of `seasonal`, which knows the pattern and the autocorrelation.

    The error h steps ahead has a variance in proportion to 1 - φ^(2h), that of the seasonal naive forecast, which
    MASE divides by, to 2 (1 - φ^season).

    Args:
        horizon: Steps ahead, up to the season.
        season: Steps of the season.
        phi: Autocorrelation of the noise.

    Example:
        >>> round(best_mase(12), 2)
        0.67
    """
    steps = np.arange(1, horizon + 1)
    return float(np.sqrt(1 - phi ** (2 * steps)).mean() / np.sqrt(2 * (1 - phi**season)))


def seasonal(source: str) -> SeriesData:
    """Twenty series of 144 months: a pattern of 12 steps that all share, with a level, a size and a phase of their own.

    The noise is autoregressive, x[t] = 0.8 x[t-1] + e[t], with standard deviation 1, the pattern 2 times the size,
    which is from 1 to 2. No forecast 12 steps ahead has an expected MASE below 0.67, see `best_mase`.

    Args:
        source: Text of the data source.
    """
    rng = np.random.default_rng(0)
    pattern = np.sin(2 * np.pi * np.arange(SEASON) / SEASON) + 0.5 * np.cos(4 * np.pi * np.arange(SEASON) / SEASON)
    rows = []
    for _ in range(SERIES):
        level, size, phase = rng.uniform(20, 60), rng.uniform(1, 2), int(rng.integers(SEASON))
        noise = np.zeros(STEPS + 50)
        shocks = rng.normal(0, np.sqrt(1 - PHI**2), len(noise))
        for t in range(1, len(noise)):
            noise[t] = PHI * noise[t - 1] + shocks[t]
        rows.append((level + 2 * size * pattern[(np.arange(STEPS) + phase) % SEASON] + noise[50:])[:, None])
    months = np.arange("2010-01", "2022-01", dtype="datetime64[M]").astype("datetime64[s]").astype(np.float64)
    values = Segments.stack(rows)
    series = SeriesSet(
        values,
        ["value"],
        Segments.stack([months] * SERIES, "float64"),
        [str(number) for number in range(1, SERIES + 1)],
        dated=True,
    )
    return SeriesData({"train": series}, source, fingerprint({"x": values.steps}))
