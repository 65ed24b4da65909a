"""Scores of classifiers and of predicted numbers."""

from __future__ import annotations

import numpy as np

from seqtasks.core.arrays import FloatArray, IntArray
from seqtasks.layers.metrics import classification_scores


def class_scores(logits: FloatArray, targets: IntArray) -> dict[str, float]:
    """Accuracy, mean negative log-likelihood and macro-averaged F1.

    Args:
        logits: (examples, classes).
        targets: True class numbers, (examples,).

    Example:
        >>> import numpy as np
        >>> round(class_scores(np.array([[9.0, 0.0], [9.0, 0.0]]), np.array([0, 1]))["macro_f1"], 3)
        0.333
    """
    from sklearn.metrics import f1_score

    classes = range(logits.shape[-1])
    macro = f1_score(targets, logits.argmax(-1), labels=classes, average="macro", zero_division=0)
    return classification_scores(logits, targets) | {"macro_f1": float(macro)}


def number_scores(predicted: FloatArray, targets: FloatArray) -> dict[str, float]:
    """Root mean squared error, mean absolute error and coefficient of determination.

    Args:
        predicted: (examples,).
        targets: (examples,).

    Returns:
        `rmse`, `mae` and `r2`, which is 0 for the mean of the targets and 1 for perfect predictions.

    Example:
        >>> import numpy as np
        >>> number_scores(np.array([2.0, 4.0]), np.array([1.0, 5.0]))
        {'rmse': 1.0, 'mae': 1.0, 'r2': 0.75}
    """
    wrong = np.asarray(predicted, np.float64) - targets
    variance = float(np.var(targets))
    r2 = 1 - float(np.mean(wrong**2)) / variance if variance else 0.0
    return {"rmse": float(np.sqrt(np.mean(wrong**2))), "mae": float(np.mean(np.abs(wrong))), "r2": r2}
