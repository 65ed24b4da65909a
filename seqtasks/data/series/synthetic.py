"""Two events in noise: which one comes first; a built-in set with a known best accuracy."""

from __future__ import annotations

import numpy as np

from seqtasks.core.arrays import FloatArray
from seqtasks.data.cache import fingerprint
from seqtasks.data.series.segments import Segments
from seqtasks.data.series.sets import SeriesData, SeriesSet

WRONG = 0.05  # of the labels: nobody can be right more often than 1 - WRONG, on average
NOISE = 0.5  # standard deviation of the noise; an event is a bump of height 3
CLASSES = ["pressure first", "temperature first", "together"]
COUNTS = {"train": 1000, "validation": 300, "test": 500}
_BUMP = np.array([1.0, 3.0, 1.0])


def events(source: str) -> SeriesData:
    """Series of 30 to 60 steps with two channels, each with one event at any time.

    The class is the channel whose event comes first, or `together` if both come within two steps. All else is noise:
    means, deviations and extremes of a channel are the same for all classes, so that only a memory of the order
    helps. One label in twenty is another one: the best accuracy is 95 % on average, and always answering one class
    has a third.

    Args:
        source: Text of the data source.
    """
    parts = {part: _part(count, seed) for seed, (part, count) in enumerate(COUNTS.items())}
    arrays: dict[str, np.ndarray] = {}
    for name, part in parts.items():
        arrays |= {f"{name} x": part.values.steps, f"{name} lengths": part.values.lengths}
        arrays[f"{name} y"] = np.array([CLASSES.index(target) for target in part.targets or ()])
    return SeriesData(parts, source, fingerprint(arrays), kind="classes")


def _part(count: int, seed: int) -> SeriesSet:
    rng = np.random.default_rng(seed)
    rows: list[FloatArray] = []
    targets = []
    for _ in range(count):
        length, order = int(rng.integers(30, 61)), int(rng.integers(3))
        early = int(rng.integers(0, length - 12))
        late = early + int(rng.integers(0, 3)) if order == 2 else int(rng.integers(early + 6, length - 3))
        begins = (early, late) if order == 0 or (order == 2 and rng.random() < 0.5) else (late, early)
        row = rng.normal(0, NOISE, (length, 2))
        for channel, begin in enumerate(begins):
            row[begin : begin + len(_BUMP), channel] += _BUMP
        rows.append(row)
        label = order if rng.random() >= WRONG else (order + int(rng.integers(1, 3))) % 3
        targets.append(CLASSES[label])
    return SeriesSet(Segments.stack(rows), ["pressure", "temperature"], ids=[*map(str, range(count))], targets=targets)
