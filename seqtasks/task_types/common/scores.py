"""Scores of classifiers, of several labels, and of predicted numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from seqtasks.core.arrays import FloatArray, IntArray
from seqtasks.layers.metrics import classification_scores

if TYPE_CHECKING:
    from pandas import DataFrame


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


def label_scores(logits: FloatArray, targets: FloatArray) -> dict[str, float]:
    """Scores of several labels, of which any number may hold; a label is predicted where its logit is above 0.

    Args:
        logits: (examples, labels).
        targets: 1 where a label holds, 0 where not, NaN where it is unknown, (examples, labels).

    Returns:
        `macro_f1`, the mean of the F1 of the labels; `micro_f1`, the F1 of all labels taken together; `map`, the mean
        of the average precision of the labels that have both values; `exact`, the share of examples whose known labels
        are all right; `nll`, the mean negative log-likelihood of a label.

    Example:
        >>> import numpy as np
        >>> logits, targets = np.array([[2.0, -1.0], [3.0, 1.0]]), np.array([[1.0, 0.0], [1.0, 0.0]])
        >>> {name: round(value, 3) for name, value in label_scores(logits, targets).items()}
        {'macro_f1': 0.5, 'micro_f1': 0.8, 'map': 0.0, 'exact': 0.5, 'nll': 0.451}
    """
    report = label_report(logits, targets, [str(i) for i in range(logits.shape[1])])
    known = ~np.isnan(targets)
    predicted, true = logits > 0, np.where(known, targets, 0) > 0.5
    hits = int((predicted & true & known).sum())
    wrong = int(((predicted != true) & known).sum())
    losses = np.logaddexp(0, logits) - true * logits
    precision = report["average_precision"].dropna()
    judged = known.any(axis=1)
    return {
        "macro_f1": float(report["f1"].mean()),
        "micro_f1": 2 * hits / (2 * hits + wrong) if hits + wrong else 1.0,
        "map": float(precision.mean()) if len(precision) else 0.0,
        "exact": float((~((predicted != true) & known).any(axis=1))[judged].mean()),
        "nll": float(losses[known].mean()),
    }


def label_report(logits: FloatArray, targets: FloatArray, labels: Sequence[str]) -> DataFrame:
    """Precision, recall, F1, average precision, ROC-AUC and support of each of several labels.

    Args:
        logits: (examples, labels).
        targets: As for `label_scores`.
        labels: Names of the labels.

    Returns:
        A row for each label. F1 is 0 where a label is never predicted right; average precision and ROC-AUC are NaN
        where the label always or never holds.

    Example:
        >>> import numpy as np
        >>> report = label_report(np.array([[1.0], [-1.0], [2.0]]), np.array([[1.0], [0.0], [0.0]]), ["pump"])
        >>> report.loc["pump", ["precision", "recall", "roc_auc"]].tolist()
        [0.5, 1.0, 0.5]
    """
    import pandas as pd
    from sklearn.metrics import average_precision_score, precision_recall_fscore_support, roc_auc_score

    rows = []
    for scores, values in zip(logits.T, np.asarray(targets, np.float64).T, strict=True):
        known = ~np.isnan(values)
        true, scores = values[known] > 0.5, scores[known]
        precision, recall, f1, _ = precision_recall_fscore_support(
            true, scores > 0, average="binary", pos_label=True, zero_division=0
        )
        both = bool(true.any() and not true.all())
        rows.append(
            {
                "precision": float(precision),
                "recall": float(recall),
                "f1": float(f1),
                "average_precision": float(average_precision_score(true, scores)) if both else np.nan,
                "roc_auc": float(roc_auc_score(true, scores)) if both else np.nan,
                "support": int(true.sum()),
            }
        )
    return pd.DataFrame(rows, index=pd.Index(list(labels), name="label"))
