"""Baselines: the z-score and the moving average of hand-made series."""

import numpy as np

from seqtasks.data.series.scaling import Scaling
from seqtasks.data.series.segments import Segments
from seqtasks.data.splits import Examples
from seqtasks.task_types.anomaly_detection import baselines

SCALING = Scaling(mean=[10.0], sd=[2.0], missing=[0.0])


def errors(kind, *rows):
    steps = Segments.stack([np.array(row, float)[:, None] for row in rows])
    marks = Segments.stack([np.zeros(len(row)) for row in rows], "int8")
    parts = list(kind(SCALING)(Examples({"steps": steps}, marks)))
    return [part.steps.tolist() for part in parts], [part.values[:, 0] for part in parts]


def test_the_z_score_is_the_distance_to_the_training_mean():
    steps, values = errors(baselines.ZScore, [10, 14], [6, np.nan])
    assert steps == [[0, 1], [2, 3]]
    np.testing.assert_allclose(values, [[0, 2], [-2, np.nan]])


def test_the_moving_average_is_of_the_values_before(monkeypatch):
    monkeypatch.setattr(baselines, "MOVING", 2)
    _, values = errors(baselines.MovingAverage, [12, 14, 10, np.nan, 10])
    np.testing.assert_allclose(values[0], [1, 1, -1.5, np.nan, 0])
