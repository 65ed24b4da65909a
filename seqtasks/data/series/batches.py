"""Batches of series: filled, padded, with masks, gaps and static covariates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from seqtasks.core.arrays import FloatArray, IntArray
from seqtasks.data.bucketing import Buckets, uneven_width
from seqtasks.data.series.scaling import Scaling, forward_filled, gaps
from seqtasks.data.series.segments import Segments
from seqtasks.data.series.sets import SeriesSet
from seqtasks.data.splits import Examples


@dataclass(frozen=True)
class Inputs:
    """Inputs of a model for series, in original units; the model scales them.

    A batch has by name: `steps` (batch, time, channels), float32, missing values filled; `mask` (batch, time), true at
    valid steps; and where the fields below ask for them `measured` (batch, time, len(measured)), 1 where the value of
    a channel was not filled; `time_gaps` (batch, time), the time since the step before, in units of the mean training
    gap; `statics` (batch, statics).

    Attributes:
        scaling: Of the training series.
        measured: Numbers of the channels with an input that is 1 where a value was measured.
        irregular: Whether `time_gaps` is an input.
    """

    scaling: Scaling
    measured: tuple[int, ...] = ()
    irregular: bool = False

    @property
    def channels(self) -> int:
        """Number of channels."""
        return len(self.scaling.mean)

    def examples(self, series: SeriesSet, targets: Any) -> Examples:
        """Series and targets (rows,) as the examples of `SeriesBatches`; their steps are not copied."""
        inputs: dict[str, Any] = {"steps": series.values}
        if self.irregular:
            assert series.times is not None
            inputs["times"] = series.times
        if self.scaling.static_mean:
            inputs["statics"] = series.statics
        return Examples(inputs, targets)

    def arrays(self, rows: dict[str, Any], least: int = 1) -> dict[str, np.ndarray]:
        """The inputs of a batch.

        Args:
            rows: Inputs of `examples` for some rows.
            least: Steps of the batch at least.
        """
        steps: Segments = rows["steps"]
        mask = steps.mask(least)
        values, measured = forward_filled(steps.padded(least), self.scaling.mean, mask)
        arrays: dict[str, np.ndarray] = {"steps": values, "mask": mask}
        if self.measured:
            arrays["measured"] = measured[..., list(self.measured)].astype(np.float32)
        if self.irregular:
            arrays["time_gaps"] = gaps(rows["times"], self.scaling.gap, least)
        if self.scaling.static_mean:
            statics = np.asarray(rows["statics"], np.float32)
            arrays["statics"] = np.where(np.isnan(statics), np.array(self.scaling.static_mean, np.float32), statics)
        return arrays


class SeriesBatches(Buckets):
    """Batches of series of similar length, right-padded; see `Inputs` for the arrays.

    Args:
        examples: Of `Inputs.examples`.
        inputs: Makes the arrays.
        weights: Weight of each class in training, (classes,), as sample weights; None: no weights.
        how: Of `Buckets`.
    """

    def __init__(
        self, examples: Examples, *how: Any, inputs: Inputs, weights: FloatArray | None = None, **keywords: Any
    ):
        self.inputs, self.weights = inputs, weights
        super().__init__(examples, *how, **keywords)

    def measure(self) -> IntArray:
        return np.asarray(self.examples.inputs["steps"].lengths)

    def __getitem__(self, index: int) -> Any:
        rows, arrays, _ = self.padded(index)
        targets = np.asarray(rows.targets)
        if self.shuffle and self.weights is not None:
            return arrays, targets, self.weights[targets].astype(np.float32)
        return arrays, targets

    def padded(self, index: int) -> tuple[Examples, dict[str, np.ndarray], int]:
        """The examples of a batch, their arrays, and the number of steps of these."""
        rows = self.examples.take(self.rows(index))
        time = rows.inputs["steps"].shape[1]
        if self.lengths.min(initial=time) < self.lengths.max(initial=time):
            time = uneven_width(time, index)
        return rows, self.inputs.arrays(rows.inputs, time), time


class StepBatches(SeriesBatches):
    """Batches of series with targets at each step.

    The targets of the examples are `Segments` (time, targets), NaN where unknown. A batch has them padded with weights
    (batch, time): 1 at valid steps with a known target, 0 at others.

    Args:
        examples: Of `Inputs.examples`.
        classes: Whether the targets are numbers of classes: a batch has them as int32 (batch, time), 0 where unknown.
        how: Of `Buckets`.
        keywords: Of `SeriesBatches`.
    """

    def __init__(self, examples: Examples, *how: Any, classes: bool, **keywords: Any):
        self.classes = classes
        super().__init__(examples, *how, **keywords)

    def __getitem__(self, index: int) -> Any:
        rows, arrays, time = self.padded(index)
        targets = rows.targets.padded(time, fill=np.nan)
        weights = (~np.isnan(targets)).any(axis=2).astype(np.float32)
        if self.classes:
            return arrays, np.nan_to_num(targets[..., 0]).astype(np.int32), weights
        return arrays, targets, weights
