"""Baselines of anomaly detection: the z-score, and the difference to a moving average."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from seqtasks.core.arrays import FloatArray
from seqtasks.data.series.scaling import Scaling
from seqtasks.data.splits import Examples
from seqtasks.task_types.anomaly_detection.scoring import Errors

MOVING = 20  # steps of the moving average


class ZScore:
    """Errors of a model that expects the training mean at every step.

    Args:
        scaling: Of the training series.
    """

    def __init__(self, scaling: Scaling):
        self.scaling = scaling

    def __call__(self, examples: Examples) -> Iterator[Errors]:
        first = 0
        for i in range(len(examples)):
            values = self.scaling.scaled(examples.inputs["steps"].row(i))
            yield Errors(first + np.arange(len(values)), self.errors(values), slice(0, values.shape[1]))
            first += len(values)

    def errors(self, values: FloatArray) -> FloatArray:
        """Errors (time, channels) of scaled values."""
        return values


class MovingAverage(ZScore):
    """Errors of a model that expects the mean of the last `MOVING` values; 0 before the first value."""

    def errors(self, values: FloatArray) -> FloatArray:
        valid = ~np.isnan(values)
        nothing = np.zeros((1, values.shape[1]))
        sums = np.concatenate([nothing, np.cumsum(np.where(valid, values, 0), axis=0)])
        counts = np.concatenate([nothing, np.cumsum(valid, axis=0)])
        ends = np.arange(len(values))
        begins = np.maximum(ends - MOVING, 0)
        mean = (sums[ends] - sums[begins]) / np.maximum(counts[ends] - counts[begins], 1)
        return np.asarray(values - mean)
