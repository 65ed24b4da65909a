"""Switches: which devices are on, by the last command to each; a built-in set with a known best score."""

from __future__ import annotations

import numpy as np

from seqtasks.data.cache import fingerprint
from seqtasks.data.series.segments import Segments
from seqtasks.data.series.sets import SeriesSet
from seqtasks.data.series.step_targets import Stepwise, StepwiseData

DEVICES = ["pump", "valve", "heater"]
RATE = 0.1  # share of steps with a command to a device: half of them on, half of them off
NOISE = 0.25  # standard deviation; a command is 1 (on) or -1 (off)
COUNTS = {"train": 500, "validation": 100, "test": 200}
LENGTHS = 30, 80  # steps of a series


def switches(source: str) -> StepwiseData:
    """Commands to three devices in noise; the labels of a step are the devices that are on.

    A device is on from a command of 1 on until a command of -1; at the beginning all are off. Most steps have no
    command, so that what a step shows says little: only a memory of the last command helps. `best` computes the
    probabilities that follow from the way in which the series are drawn.

    Args:
        source: Text of the data source.
    """
    parts: dict[str, Stepwise] = {}
    arrays: dict[str, np.ndarray] = {}
    for seed, (name, count) in enumerate(COUNTS.items()):
        rng = np.random.default_rng(seed)
        rows, targets = zip(*(_series(rng) for _ in range(count)), strict=True)
        names = [f"{device} command" for device in DEVICES]
        series = SeriesSet(Segments.stack(rows), names, ids=[*map(str, range(count))])
        parts[name] = Stepwise(series, Segments.stack(targets))
        arrays |= {f"{name} x": series.values.steps, f"{name} y": parts[name].targets.steps}
    return StepwiseData(parts, "labels", DEVICES, [], None, fingerprint(arrays))


def _series(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    length = int(rng.integers(*LENGTHS))
    commands = rng.choice([0, 1, -1], (length, len(DEVICES)), p=[1 - RATE, RATE / 2, RATE / 2])
    last = np.maximum.accumulate(np.where(commands != 0, np.arange(length)[:, None], -1), axis=0)
    active = np.where(last >= 0, np.take_along_axis(commands, np.maximum(last, 0), axis=0), -1) > 0
    return commands + rng.normal(0, NOISE, commands.shape), active.astype(np.float32)


def best(values: np.ndarray) -> np.ndarray:
    """The probability that each device is on, by all that is known of how the series are drawn.

    Later steps say nothing more, as a command does not depend on whether the device is on.

    Args:
        values: (time, devices).

    Returns:
        (time, devices).
    """
    levels = np.array([0.0, 1.0, -1.0])
    prior = np.array([1 - RATE, RATE / 2, RATE / 2])
    weights = prior * np.exp(-0.5 * ((values[..., None] - levels) / NOISE) ** 2)
    none, on, _ = np.moveaxis(weights / weights.sum(axis=-1, keepdims=True), -1, 0)
    p = np.zeros_like(none)
    for t in range(len(values)):
        p[t] = on[t] + none[t] * (p[t - 1] if t else 0.0)
    return p
