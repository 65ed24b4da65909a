"""Windows of series as batches, with the values that a model of normal series predicts or rebuilds."""

from __future__ import annotations

import numpy as np

from seqtasks.core.arrays import FloatArray, IntArray
from seqtasks.data.batches import ArrayBatches
from seqtasks.data.series.batches import Inputs
from seqtasks.data.series.marked import ANOMALY
from seqtasks.data.series.segments import Segments
from seqtasks.data.splits import Examples

MOST_WINDOWS = 2000  # training windows, unless longer steps between them would leave steps out


def windows(lengths: IntArray, size: int, stride: int) -> tuple[IntArray, IntArray]:
    """Row and first step of each window of rows of some lengths; the last window of a row ends with it.

    Example:
        >>> rows, begins = windows(np.array([7, 2]), size=4, stride=2)
        >>> rows.tolist(), begins.tolist()
        ([0, 0, 0, 1], [0, 2, 3, 0])
    """
    counts = 1 + -(-np.maximum(lengths - size, 0) // stride)
    rows = np.repeat(np.arange(len(lengths)), counts)
    number = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    return rows, np.minimum(number * stride, np.maximum(lengths[rows] - size, 0))


def cut(examples: Examples, size: int, stride: int) -> Examples:
    """Windows of the series of examples; no steps are copied."""
    steps: Segments = examples.inputs["steps"]
    rows, begins = windows(steps.lengths, size, stride)
    lengths = np.minimum(size, steps.lengths[rows])

    def of(whole: Segments) -> Segments:
        return Segments(whole.steps, whole.begins[rows] + begins, lengths)

    return Examples({name: of(array) for name, array in examples.inputs.items()}, of(examples.targets))


def training_windows(examples: Examples, size: int) -> Examples:
    """Overlapping windows without marked anomalies, at most about `MOST_WINDOWS` unless the series are very long.

    Args:
        examples: Training series and their marks.
        size: Steps of a window.
    """
    total = int(examples.inputs["steps"].lengths.sum())
    stride = min(max(1, total // MOST_WINDOWS), max(1, size // 2))
    made = cut(examples, size, stride)
    marked = np.array([bool((made.targets.row(i) == ANOMALY).any()) for i in range(len(made))])
    return made.take(np.flatnonzero(~marked)) if marked.any() else made


class WindowBatches(ArrayBatches):
    """Batches of windows.

    Args:
        examples: Series and their marks; in training windows.
        batch_size: Windows of a batch.
        shuffle: Whether the examples are training windows; else series, which are cut into windows.
        seed: Of the order.
        inputs: Makes the arrays.
        size: Steps of a window.
        horizon: Number of next steps to predict; 0: the window itself is rebuilt, from its end.
    """

    def __init__(
        self,
        examples: Examples,
        batch_size: int,
        shuffle: bool = False,
        seed: int = 0,
        *,
        inputs: Inputs,
        size: int,
        horizon: int,
    ):
        self.series, self.inputs, self.size, self.horizon = examples, inputs, size, horizon
        cuts = examples if shuffle else cut(examples, size + horizon, size)
        super().__init__(cuts, batch_size, shuffle, seed)

    def __getitem__(self, index: int) -> tuple[dict[str, np.ndarray], FloatArray]:
        begin = (self.start + index) * self.batch_size
        return self.arrays(self.examples.take(self._order[begin : begin + self.batch_size]))

    def arrays(self, rows: Examples) -> tuple[dict[str, np.ndarray], FloatArray]:
        """Inputs and targets of windows.

        Args:
            rows: Some of `examples`.
        """
        arrays = self.inputs.arrays(rows.inputs, self.size + self.horizon)
        values = scaled_values(rows.inputs["steps"], self.inputs, self.size + self.horizon)
        if not self.horizon:
            return arrays, ends_first(values, rows.inputs["steps"].lengths)
        return {name: array[:, : self.size] for name, array in arrays.items()}, next_values(values, self.horizon)


def scaled_values(steps: Segments, inputs: Inputs, least: int = 1) -> FloatArray:
    """Scaled values float32 (rows, time, channels), NaN where a value is missing and at padding."""
    return np.asarray(inputs.scaling.scaled(steps.padded(least, np.nan)), np.float32)


def next_values(values: FloatArray, horizon: int) -> FloatArray:
    """The next values at each step.

    Args:
        values: (rows, time, channels).
        horizon: Number of next steps.

    Returns:
        (rows, time - horizon, horizon · channels), the nearest step first.

    Example:
        >>> next_values(np.arange(5.0)[None, :, None], 2)[0].tolist()
        [[1.0, 2.0], [2.0, 3.0], [3.0, 4.0]]
    """
    views = np.lib.stride_tricks.sliding_window_view(values[:, 1:], horizon, axis=1)  # (rows, time, channels, horizon)
    return views.swapaxes(2, 3).reshape(*views.shape[:2], -1)


def ends_first(values: FloatArray, lengths: IntArray) -> FloatArray:
    """Rows (rows, time, …) with their valid steps in reverse; padding stays behind them."""
    time = np.arange(values.shape[1])[None]
    index = np.where(time < lengths[:, None], lengths[:, None] - 1 - time, time)
    return values[np.arange(len(values))[:, None], index]
