"""Scores of classes and of numbers, against scikit-learn."""

import numpy as np
import pytest
from sklearn import metrics

from seqtasks.task_types.common.scores import class_scores, number_scores


def test_class_scores():
    rng = np.random.default_rng(0)
    logits, targets = rng.normal(size=(50, 4)), rng.integers(0, 3, 50)
    scores = class_scores(logits, targets)
    predicted = logits.argmax(1)
    assert scores["accuracy"] == metrics.accuracy_score(targets, predicted)
    assert scores["macro_f1"] == pytest.approx(metrics.f1_score(targets, predicted, average="macro", labels=range(4)))


def test_number_scores():
    rng = np.random.default_rng(0)
    targets, predicted = rng.normal(size=50), rng.normal(size=50)
    scores = number_scores(predicted, targets)
    assert scores["rmse"] ** 2 == pytest.approx(metrics.mean_squared_error(targets, predicted))
    assert scores["mae"] == pytest.approx(metrics.mean_absolute_error(targets, predicted))
    assert scores["r2"] == pytest.approx(metrics.r2_score(targets, predicted))
    assert number_scores(np.ones(3), np.ones(3))["r2"] == 0  # targets that do not vary explain nothing
