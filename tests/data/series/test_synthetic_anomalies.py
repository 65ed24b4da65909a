"""The built-in anomalies: no single value shows them, and the wave before them does."""

import numpy as np
from sklearn.metrics import roc_auc_score

from seqtasks.data.series.synthetic_anomalies import NOISE, PERIOD, STEPS, STRETCHES, TEST_SERIES, reversed_waves
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


def test_the_distance_to_the_known_wave_has_the_stated_roc_auc():
    data, distances, marks = reversed_waves("x", warm_up=20), [], []
    for i in range(TEST_SERIES):
        values, mark = data.test.series.values.row(i), data.test.marks.row(i)
        phase = np.arange(len(values)) % PERIOD
        wave = np.stack([np.median(values[(phase == n) & (mark == 0)], axis=0) for n in range(PERIOD)])
        distances.append(np.square(values - wave[phase]).mean(axis=1)[mark >= 0])
        marks.append(mark[mark >= 0])
    assert abs(roc_auc_score(np.concatenate(marks), np.concatenate(distances)) - 0.972) < 0.005


def test_it_is_always_the_same():
    assert (
        reversed_waves("x", 20).fingerprint
        == reversed_waves("y", 20).fingerprint
        != reversed_waves("x", 30).fingerprint
    )
