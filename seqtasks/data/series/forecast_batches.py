"""Batches of windows of series, with the values that follow each step as targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqtasks.core.arrays import BoolArray, FloatArray, IntArray
from seqtasks.data.bucketing import Buckets, uneven_width
from seqtasks.data.series.logarithms import to_logarithms
from seqtasks.data.series.scaling import forward_filled
from seqtasks.data.series.segments import Segments
from seqtasks.data.splits import Examples


@dataclass(frozen=True)
class Panel:
    """Series to forecast, all steps of all series one after the other.

    Attributes:
        values: In original units, NaN where missing, `(series, time, channels)`.
        known: Covariates that are known in advance, `(series, time + horizon, covariates)`.
        statics: Static covariates, `(series, statics)`.
        horizon: Steps ahead.
        mean: Stands for values before the first one of a series, `(channels,)`.
        measured: Channels that have missing values in training.
    """

    values: Segments
    known: Segments
    statics: FloatArray
    horizon: int
    mean: Sequence[float]
    measured: Sequence[int] = ()

    def windows(self, series: IntArray, begins: IntArray, ends: IntArray, last: IntArray) -> dict[str, Any]:
        """Inputs of `Examples`: windows that end where a forecast begins.

        Args:
            series: Number of the series of each window.
            begins: First step of each window.
            ends: The step after its last one.
            last: The step of the series before which targets must lie.
        """
        base = self.values.begins[series]
        ahead = np.minimum(ends + self.horizon, last) - begins
        return {
            "steps": Segments(self.values.steps, base + begins, ends - begins),
            "ahead": Segments(self.values.steps, base + begins, ahead),
            "known": Segments(self.known.steps, self.known.begins[series] + begins, ends - begins + self.horizon),
            "statics": self.statics[series],
            "series_index": series,
            "ends": ends,
        }

    def arrays(self, rows: dict[str, Any], ahead: int, least: int = 1) -> dict[str, np.ndarray]:
        """Inputs of a model: `steps`, `mask`, and where there are such `measured`, `known` and `statics`.

        Args:
            rows: Inputs of examples, as `windows` makes them.
            ahead: Steps ahead whose known covariates a step reads.
            least: Steps of the batch at least.
        """
        steps: Segments = rows["steps"]
        mask = steps.mask(least)
        values, measured = forward_filled(steps.padded(least), self.mean, mask)
        return self.joined(values, mask, measured, rows, ahead)

    def joined(
        self, values: FloatArray, mask: BoolArray, measured: BoolArray, rows: dict[str, Any], ahead: int, skip: int = 0
    ) -> dict[str, np.ndarray]:
        """As `arrays`, of values that are filled already, `(batch, time, channels)`, of windows `skip` steps later."""
        arrays = {"steps": values.astype(np.float32), "mask": mask}
        if len(self.measured):
            arrays["measured"] = measured[..., list(self.measured)].astype(np.float32)
        if self.known.steps.shape[1]:
            time = mask.shape[1]
            known = rows["known"].padded(time + self.horizon + skip)
            following = [known[:, skip + 1 + h : skip + 1 + h + time] for h in range(ahead)]
            arrays["known"] = np.concatenate(following, axis=2).astype(np.float32)
        if self.statics.shape[1]:
            arrays["statics"] = np.asarray(rows["statics"], np.float32)
        return arrays


class ForecastBatches(Buckets):
    """Batches of windows, right-padded, with the next values of each step as targets and weights of the loss.

    Targets are `(batch, time, ahead, channels, 1)` in transformed units; the weights `(batch, time, ahead, channels)`
    are 0 where a value is missing or comes after the split, and at steps that are no origin. With `last` the time axis
    has only the last step of each window.

    Args:
        examples: Of `Panel.windows`, with `first`, the first step of a window that is an origin, and `weights`,
            `(examples, channels)`.
        panel: Makes the arrays.
        ahead: Steps ahead that the model forecasts.
        log_floors: Of targets, see `seqtasks.data.series.logarithms`; empty: no channel is transformed.
        last: Whether only the last step of a window is an origin.
        how: Of `Buckets`.
    """

    def __init__(
        self,
        examples: Examples,
        *how: Any,
        panel: Panel,
        ahead: int,
        log_floors: Sequence[float] = (),
        last: bool = False,
        **keywords: Any,
    ):
        self.panel, self.ahead, self.log_floors, self.last = panel, ahead, log_floors, last
        super().__init__(examples, *how, **keywords)

    def measure(self) -> IntArray:
        return np.asarray(self.examples.inputs["steps"].lengths)

    def __getitem__(self, index: int) -> Any:
        rows = self.examples.take(self.rows(index)).inputs
        steps: Segments = rows["steps"]
        time = steps.shape[1]
        if self.lengths.min(initial=time) < self.lengths.max(initial=time):
            time = uneven_width(time, index)
        arrays = self.panel.arrays(rows, self.ahead, time)
        time = arrays["mask"].shape[1]
        following = rows["ahead"].padded(time + self.ahead, fill=np.nan)[:, : time + self.ahead]
        targets = np.stack([following[:, 1 + h : 1 + h + time] for h in range(self.ahead)], axis=2)
        origin = arrays["mask"] & (np.arange(time) >= rows["first"][:, None])
        valid = ~np.isnan(targets) & origin[:, :, None, None]
        if self.last:
            ends = np.arange(len(steps)), steps.lengths - 1
            targets, valid = targets[ends][:, None], valid[ends][:, None]
        targets = np.where(valid, targets, 1.0)
        # The loss is the mean over valid targets, but Keras divides by the number of all.
        weights = valid * rows["weights"][:, None, None, :] * (valid.size / max(1, int(valid.sum())))
        made = to_logarithms(targets, self.log_floors) if self.log_floors else targets
        return arrays, made[..., None].astype(np.float32), weights.astype(np.float32)
