"""Logistic regression: baseline of classification tasks."""

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
        train: Training inputs, `(examples, features)` or inputs of the first transformer, and their class numbers,
            `(examples,)`.
        test: Inputs of the test split.
        classes: Number of classes; the logit of a class without a training example is -50.
        score: Function from test logits, `(examples, classes)`, to scores by name.
        before: Transformers of scikit-learn that are applied to the inputs.
        **settings: Arguments of `sklearn.linear_model.LogisticRegression`.

    Returns:
        The test scores and the number of coefficients.

    Example:
        >>> import numpy as np
        >>> x, y = np.array([[-1.0], [-2.0], [1.0], [2.0]]), np.array([0, 0, 1, 1])
        >>> logistic_regression((x, y), x, 2, lambda logits: {"accuracy": float((logits.argmax(-1) == y).mean())})
        Baseline(scores={'accuracy': 1.0}, params=2, by='scikit-learn')
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    model = make_pipeline(*before, LogisticRegression(**settings)).fit(*train)
    logits = linear_logits(model, test, classes)
    weights = model[-1]
    return Baseline(score(logits), weights.coef_.size + weights.intercept_.size)
