"""Baselines at each step of series: constants, and linear models of the step and its neighbours."""

from __future__ import annotations

from typing import Any

import numpy as np

from seqtasks.core.arrays import FloatArray
from seqtasks.data.series.scaling import Scaling, forward_filled
from seqtasks.data.splits import Examples
from seqtasks.task_types.base import Baseline
from seqtasks.task_types.common.linear_baseline import logistic_regression
from seqtasks.task_types.common.step_heads import ClassHead, LabelsHead, StepHead

NEIGHBOURS = 2  # steps before and after
STEPS = 20_000  # training steps that a linear model is fitted on, at most


def constant(head: StepHead, train: Any, targets: Any) -> Baseline:
    """Shares of the classes or labels in training, or the mean of the numbers.

    Args:
        head: Of the task.
        train: Training targets, as `StepHead.scores` has them.
        targets: Test targets.
    """
    outputs = np.tile(head.constant(train), (len(targets), 1))
    return Baseline(head.scores(outputs, targets), len(head.names), "NumPy")


def linear(head: StepHead, scaling: Scaling, train: tuple[Examples, Any], test: tuple[Examples, Any]) -> Baseline:
    """Logistic regression, one for each of several labels, or ridge regression, on the values of five steps.

    Args:
        head: Of the task.
        scaling: Of the training series.
        train: Training series, and their targets as `StepHead.scores` has them, NaN or -1 where unknown.
        test: Test series and their targets.
    """
    unseen, targets = features(test[0], scaling), test[1]
    x, y = features(train[0], scaling), train[1]
    chosen = np.linspace(0, len(x) - 1, min(STEPS, len(x))).round().astype(np.int64)
    x, y = x[chosen], y[chosen]
    if isinstance(head, ClassHead):
        scored = known_steps(targets)
        return logistic_regression(
            (x[known_steps(y)], y[known_steps(y)]), unseen[scored], len(head.names),
            lambda logits: head.scores(logits, targets[scored]), max_iter=300,
        )  # fmt: skip
    columns = [
        _column(x[~np.isnan(column)], column[~np.isnan(column)], unseen, isinstance(head, LabelsHead)) for column in y.T
    ]
    return Baseline(head.scores(np.stack(columns, axis=1), targets), len(columns) * (x.shape[1] + 1))


def _column(x: FloatArray, y: FloatArray, unseen: FloatArray, label: bool) -> FloatArray:
    """Logits of a label, or a number, of test steps."""
    from sklearn.linear_model import LogisticRegression, RidgeCV

    if len(np.unique(y)) < 2:
        return np.full(len(unseen), 10.0 * (2 * y[0] - 1) if label and len(y) else y[0] if len(y) else 0.0)
    if label:
        return np.asarray(LogisticRegression(max_iter=300).fit(x, y > 0.5).decision_function(unseen))
    return np.asarray(RidgeCV(np.logspace(-3, 3, 7)).fit(x, y).predict(unseen))


def features(examples: Examples, scaling: Scaling) -> FloatArray:
    """Scaled values of each step and its neighbours, (all steps, 5 · channels); 0 beyond the ends of a series."""
    rows = []
    steps = examples.inputs["steps"]
    for i in range(len(examples)):
        row = steps.row(i)[None]
        filled, _ = forward_filled(row, scaling.mean, np.ones(row.shape[:2], bool))
        padded = np.pad(scaling.scaled(filled[0]), ((NEIGHBOURS, NEIGHBOURS), (0, 0)))
        count = row.shape[1]
        rows.append(np.concatenate([padded[k : k + count] for k in range(2 * NEIGHBOURS + 1)], axis=1))
    return np.concatenate(rows)


def known_steps(targets: Any) -> Any:
    """True at the steps that have a class, or a known label or number, (steps,)."""
    return targets >= 0 if targets.ndim == 1 else (~np.isnan(targets)).any(axis=1)
