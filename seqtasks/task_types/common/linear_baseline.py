"""Logistic regression, the baseline of every type of task with classes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from seqtasks.core.arrays import FloatArray, IntArray
from seqtasks.layers.metrics import linear_logits
from seqtasks.task_types.base import Baseline


def logistic_regression(
    train: tuple[Any, IntArray],
    test: Any,
    classes: int,
    score: Callable[[FloatArray], dict[str, float]],
    before: Sequence[Any] = (),
    **settings: Any,
) -> Baseline:
    """Fits scikit-learn's logistic regression and scores it.

    Args:
        train: Inputs, (examples, features) or what the first of `before` reads, and class numbers (examples,).
        test: Inputs of the test split.
        classes: Number of classes; those without a training example get a very low logit.
        score: Scores of the test logits, (examples, classes).
        before: Transformers of scikit-learn that are applied to the inputs.
        **settings: Arguments of `sklearn.linear_model.LogisticRegression`.

    Returns:
        The scores, and the number of coefficients.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    model = make_pipeline(*before, LogisticRegression(**settings)).fit(*train)
    logits = linear_logits(model, test, classes)
    weights = model[-1]
    return Baseline(score(logits), weights.coef_.size + weights.intercept_.size)
