"""The built-in anomalies: no single value shows them, and the wave before them does."""

import numpy as np

from seqtasks.data.series.synthetic_anomalies import NOISE, STEPS, STRETCHES, TEST_SERIES, reversed_waves
from seqtasks.task_types.anomaly_detection.scoring import runs


def test_only_the_test_series_have_anomalies():
    data = reversed_waves("builtin:reversed_waves", warm_up=20)
    for name in ("train", "validation"):
        marks = getattr(data, name).marks.row(0)
        assert len(marks) == STEPS[name] and set(marks[20:].tolist()) == {0}
    assert len(data.test.marks) == TEST_SERIES
    for i in range(TEST_SERIES):
        begins, ends = runs(data.test.marks.row(i) == 1)
        assert len(begins) == STRETCHES and ((ends - begins >= 20) & (ends - begins <= 40)).all()


def test_values_of_anomalies_are_those_of_normal_steps():
    data = reversed_waves("x", warm_up=20)
    values, marks = data.test.series.values.steps, data.test.marks.steps
    normal, marked = values[marks == 0], values[marks == 1]
    assert np.abs(normal.mean(axis=0) - marked.mean(axis=0)).max() < 0.1
    assert np.abs(normal.std(axis=0) - marked.std(axis=0)).max() < 0.05


def test_a_period_before_has_the_same_value_but_for_noise():
    values = reversed_waves("x", warm_up=20).train.series.values.row(0)
    assert abs((values[20:] - values[:-20]).std() - NOISE * np.sqrt(2)) < 0.01


def test_it_is_always_the_same():
    assert (
        reversed_waves("x", 20).fingerprint
        == reversed_waves("y", 20).fingerprint
        != reversed_waves("x", 30).fingerprint
    )
