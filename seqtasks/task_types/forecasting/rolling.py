"""Forecasts of any horizon: windows move on over the forecasts of the steps before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from seqtasks.core.arrays import FloatArray
from seqtasks.data.series.forecast_batches import ForecastBatches
from seqtasks.data.series.logarithms import from_logarithms
from seqtasks.data.series.scaling import forward_filled
from seqtasks.data.series.segments import Segments
from seqtasks.task_types.forecasting.intervals import with_errors_added
from seqtasks.task_types.forecasting.model import CALIBRATION, median


def forecast_outputs(
    model: keras.Model, batches: ForecastBatches, horizon: int, head: str, log_floors: Sequence[float]
) -> FloatArray:
    """Forecasts of examples in the units of the model.

    Beyond the steps that the model forecasts, the window moves on and its median stands for the next values; the
    variance of a block of steps is then added to that of the last step before it.

    Args:
        model: Trained.
        batches: Of windows that end at origins.
        horizon: Steps ahead.
        head: `ForecastOptions.head`.
        log_floors: Smallest value of each channel that a logarithm is taken of; 0: none is taken.

    Returns:
        `(examples, horizon, channels, numbers)`, in the order of the examples.
    """
    ahead, panel = batches.ahead, batches.panel
    middle = median(head)
    factors = keras.ops.convert_to_numpy(model.get_layer(CALIBRATION).factors)
    made: list[Any] = [None] * len(batches.examples)
    for index in range(len(batches)):
        rows = batches.rows(index)
        inputs = batches.examples.take(rows).inputs
        steps: Segments = inputs["steps"]
        mask = steps.mask(2)
        batch, time = mask.shape
        values, present = forward_filled(steps.padded(2), panel.mean, mask)
        values = np.concatenate([values, np.zeros((batch, horizon, values.shape[2]), values.dtype)], axis=1)
        present = np.concatenate([present, np.ones((batch, horizon, values.shape[2]), bool)], axis=1)
        ends, blocks = steps.lengths, []
        for begin in range(0, horizon, ahead):
            moved = slice(begin, begin + time)
            arrays = panel.joined(values[:, moved], mask, present[:, moved], inputs, ahead, begin)
            block = np.asarray(model.predict_on_batch(arrays), np.float64)
            block = block[:, 0] if block.shape[1] == 1 < time else block[np.arange(batch), ends - 1]
            blocks.append(block)
            count = min(ahead, horizon - begin)
            points = from_logarithms(block[..., middle], log_floors)
            for h in range(count):
                values[np.arange(batch), ends + begin + h] = points[:, h]
        joined = with_errors_added(blocks, head, factors)[:, :horizon]
        for i, row in enumerate(rows):
            made[row] = joined[i]
    return np.stack(made)
