"""Baselines of steps: what a step and its neighbours show, and nothing else."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from seqtasks.data.series.scaling import Scaling
from seqtasks.data.series.segments import Segments
from seqtasks.data.splits import Examples
from seqtasks.task_types.common.step_heads import ClassHead, LabelsHead, NumbersHead
from seqtasks.task_types.series_labeling import baselines

RNG = np.random.default_rng(0)
SCALING = Scaling(mean=[10.0], sd=[2.0], missing=[0.0])
ROWS = [RNG.normal(10, 2, (length, 1)) for length in (8, 30, 25)]
EXAMPLES = Examples({"steps": Segments.stack(ROWS)}, np.zeros(3))


def test_features_are_the_scaled_values_of_five_steps():
    made = baselines.features(EXAMPLES, SCALING)
    scaled = (ROWS[1][:, 0] - 10) / 2
    np.testing.assert_allclose(made[8 + 4], scaled[2:7], rtol=1e-5)
    np.testing.assert_allclose(made[8], [0, 0, *scaled[:3]], rtol=1e-5, atol=1e-7)  # nothing of the series before
    assert made.shape == (63, 5)


def test_classes_are_those_of_a_logistic_regression_and_unknown_ones_are_left_out():
    made = baselines.features(EXAMPLES, SCALING)
    y = (made[:, 3] > 0).astype(int)
    y[::7] = -1
    head = ClassHead(["low", "high"])
    got = baselines.linear(head, SCALING, (EXAMPLES, y), (EXAMPLES, y))
    known = y >= 0
    theirs = LogisticRegression(max_iter=300).fit(made[known], y[known]).score(made[known], y[known])
    assert got.scores["accuracy"] == pytest.approx(theirs) and theirs > 0.9
    constant = baselines.constant(head, y[known], y[known])
    assert constant.scores["accuracy"] == pytest.approx(max(np.bincount(y[known])) / known.sum())


def test_labels_and_numbers():
    made = baselines.features(EXAMPLES, SCALING)
    labels = np.stack([made[:, 2] > 0, np.ones(63)], axis=1).astype(float)  # the second one always holds
    labels[:9, 0] = np.nan
    got = baselines.linear(LabelsHead(["a", "b"]), SCALING, (EXAMPLES, labels), (EXAMPLES, labels))
    assert got.scores["macro_f1"] > 0.95
    numbers = made[:, 1:2] * 3 + 7
    numbers[5] = np.nan
    got = baselines.linear(NumbersHead(["n"], [7.0], [3.0]), SCALING, (EXAMPLES, numbers), (EXAMPLES, numbers))
    assert got.scores["rmse"] < 0.1 < baselines.constant(NumbersHead(["n"], [7], [3]), numbers, numbers).scores["rmse"]
