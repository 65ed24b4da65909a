"""Saw-toothed waves, in some stretches backwards in time: a built-in set whose anomalies no single value shows."""

from __future__ import annotations

import numpy as np

from seqtasks.data.cache import fingerprint
from seqtasks.data.series.marked import ANOMALY, UNJUDGED, Marked, MarkedData
from seqtasks.data.series.segments import Segments
from seqtasks.data.series.sets import SeriesSet

CHANNELS = ["flow", "pressure"]
PERIOD = 20  # steps: 16 up and 4 down
NOISE = 0.1  # standard deviation of the noise; the waves go from -1 to 1
STEPS = {"train": 2400, "validation": 600, "test": 2000}
STRETCHES = 10  # in each test series, of one to two periods
TEST_SERIES = 2


def reversed_waves(source: str, warm_up: int) -> MarkedData:
    """Two channels that rise slowly and fall fast; in marked stretches of the test series time runs backwards.

    A stretch is a reversed piece of another normal series, so its values have the same mean, variance and extremes:
    whatever looks at one step alone, as the z-score does, has a ROC-AUC of 0.5 on average. Who knows the waves and
    their phase, and not only what came before, reaches 0.972 by the distance of each step to its wave, and 0.984 by
    the mean of ten such distances; not 1, since a wave crosses its reversed one. The noise is 0.171 standard
    deviations, and no prediction has a smaller error.

    Args:
        source: Text of the data source.
        warm_up: First steps of a series that are not judged.
    """
    parts: dict[str, Marked] = {}
    arrays: dict[str, np.ndarray] = {}
    for seed, (name, steps) in enumerate(STEPS.items()):
        rng = np.random.default_rng(seed)
        series = [_waves(rng, steps) for _ in range(TEST_SERIES if name == "test" else 1)]
        marks = [np.zeros(steps, np.int8) for _ in series]
        if name == "test":
            for row, mark in zip(series, marks, strict=True):
                _reverse(rng, row, mark)
        for mark in marks if name != "train" else ():
            mark[:warm_up] = UNJUDGED
        ids = [str(number + 1) for number in range(len(series))]
        parts[name] = Marked(SeriesSet(Segments.stack(series), CHANNELS, ids=ids), Segments.stack(marks, "int8"))
        arrays |= {f"{name} x": parts[name].series.values.steps, f"{name} y": parts[name].marks.steps}
    train, validation, test = parts.values()
    return MarkedData(train, validation, test, True, None, None, fingerprint(arrays))


def _waves(rng: np.random.Generator, steps: int) -> np.ndarray:
    phase = (np.arange(steps) + rng.uniform(0, PERIOD)) / PERIOD
    lags = np.array([0.0, 0.25])  # of a period
    position = (phase[:, None] - lags) % 1
    wave = np.where(position < 0.8, position / 0.8, (1 - position) / 0.2) * 2 - 1
    return wave + rng.normal(0, NOISE, wave.shape)


def _reverse(rng: np.random.Generator, row: np.ndarray, mark: np.ndarray) -> None:
    """Puts reversed pieces into a series."""
    space = len(row) // (STRETCHES + 1)
    for number in range(STRETCHES):
        begin = space * (number + 1) + int(rng.integers(-space // 4, space // 4))
        length = int(rng.integers(PERIOD, 2 * PERIOD + 1))
        row[begin : begin + length] = _waves(rng, length)[::-1]
        mark[begin : begin + length] = ANOMALY
