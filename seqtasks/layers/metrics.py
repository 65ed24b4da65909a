"""Metrics over a whole split that do not depend on how it is batched."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Computes log-probabilities over the last axis, in float64.

    Args:
        logits: `(…, classes)`.

    Returns:
        Log-probabilities, `(…, classes)`.
    """
    from scipy import special

    return np.asarray(special.log_softmax(np.asarray(logits, np.float64), axis=-1))


def linear_logits(fitted: Any, features: Any, classes: int) -> np.ndarray:
    """Computes logits of a fitted scikit-learn linear classifier for all classes of a task.

    Args:
        fitted: Classifier with `decision_function` and `classes_`, which are class numbers.
        features: `(examples, features)`.
        classes: Number of classes of the task.

    Returns:
        Logits, `(examples, classes)`; -50 for classes that the classifier was not fitted on.
    """
    scores = np.asarray(fitted.decision_function(features), np.float64)
    if scores.ndim == 1:  # for two classes scikit-learn returns a single column
        scores = np.stack([-scores / 2, scores / 2], axis=1)
    logits = np.full((len(scores), classes), -50.0)
    logits[:, fitted.classes_] = scores
    return logits


def classification_scores(logits: np.ndarray, targets: np.ndarray) -> dict[str, float]:
    """Computes accuracy and mean negative log-likelihood.

    Args:
        logits: `(examples, classes)`.
        targets: Class numbers, `(examples,)`.

    Returns:
        `accuracy`, a fraction, and `nll`, in nats per example.

    Example:
        >>> import numpy as np
        >>> classification_scores(np.array([[9.0, 0.0], [9.0, 0.0]]), np.array([0, 1]))["accuracy"]
        0.5
    """
    log_p = log_softmax(logits)[np.arange(len(targets)), targets]
    return {"accuracy": float(np.mean(np.argmax(logits, axis=-1) == targets)), "nll": float(-np.mean(log_p))}


def language_scores(nll: float, tokens: int) -> dict[str, float]:
    """Computes the scores of a language model from its total negative log-likelihood.

    The total is over all tokens of a split; means of batches would weigh short batches too much.

    Args:
        nll: Negative log-likelihood of all tokens, in nats.
        tokens: Number of tokens.

    Returns:
        `nats` and `bits` per token, and `perplexity`.

    Example:
        >>> scores = language_scores(nll=20.0, tokens=10)
        >>> scores["nats"], round(scores["perplexity"], 3)
        (2.0, 7.389)
    """
    nats = nll / tokens
    return {"nats": nats, "bits": nats / math.log(2), "perplexity": math.exp(min(nats, 700.0))}


class Nats(keras.metrics.MeanMetricWrapper):
    """Mean negative log-likelihood in nats per token, over all batches.

    For models whose output is the negative log-likelihood of each token, such as `SoftmaxHead` called
    with targets. `y_true` is ignored. Sample weights of 0 exclude padding.

    Args:
        name: Name of the metric.
        **kwargs: Other arguments of `keras.metrics.Metric`.

    Example:
        >>> import numpy as np
        >>> from seqtasks.metrics import Nats
        >>> metric, nll = Nats(), np.array([[1.0, 2.0, 9.0]])  # (batch, time)
        >>> metric.update_state(nll, nll, sample_weight=np.array([[1.0, 1.0, 0.0]]))
        >>> float(metric.result())
        1.5
    """

    def __init__(self, name: str = "nats", **kwargs: Any):
        super().__init__(lambda y_true, y_pred: y_pred, name=name, **kwargs)


class Perplexity(Nats):
    """Perplexity over all batches: exp of the mean negative log-likelihood, see `Nats`.

    The model's output is the negative log-likelihood of each token; `y_true` is ignored. Sample weights
    of 0 exclude padding.

    Args:
        name: Name of the metric.
        **kwargs: Other arguments of `keras.metrics.Metric`.

    Example:
        >>> import numpy as np
        >>> from seqtasks.metrics import Perplexity
        >>> metric, nll = Perplexity(), np.log([[2.0, 8.0]])  # (batch, time)
        >>> metric.update_state(nll, nll)
        >>> round(float(metric.result()), 4)
        4.0
    """

    def __init__(self, name: str = "perplexity", **kwargs: Any):
        super().__init__(name=name, **kwargs)

    def result(self) -> Any:
        return keras.ops.exp(super().result())


class TagAccuracy(keras.metrics.MeanMetricWrapper):
    """Fraction of correct tags over all batches: mean of `TagHead`'s second output column.

    `y_true` is ignored. Sample weights of 0 exclude padding.

    Args:
        name: Name of the metric.
        **kwargs: Other arguments of `keras.metrics.Metric`.

    Example:
        >>> import numpy as np
        >>> from seqtasks.metrics import TagAccuracy
        >>> metric, head_output = TagAccuracy(), np.array([[[0.1, 1.0], [2.0, 0.0]]])  # (batch, time, 2)
        >>> metric.update_state(head_output[..., 0], head_output)
        >>> float(metric.result())
        0.5
    """

    def __init__(self, name: str = "accuracy", **kwargs: Any):
        super().__init__(lambda y_true, y_pred: y_pred[..., 1], name=name, **kwargs)


class TargetPerplexity(keras.metrics.MeanMetricWrapper):
    """Perplexity of the targets without label smoothing, from `LabelSmoothingHead`'s output.

    It is exp of the mean of the second column. `y_true` is ignored. Sample weights of 0 exclude padding.

    Args:
        name: Name of the metric.
        **kwargs: Other arguments of `keras.metrics.Metric`.

    Example:
        >>> import numpy as np
        >>> from seqtasks.metrics import TargetPerplexity
        >>> metric, head_output = TargetPerplexity(), np.log([[[3.0, 2.0], [3.0, 8.0]]])  # (batch, time, 2)
        >>> metric.update_state(head_output[..., 0], head_output)
        >>> round(float(metric.result()), 4)
        4.0
    """

    def __init__(self, name: str = "perplexity", **kwargs: Any):
        super().__init__(lambda y_true, y_pred: y_pred[..., 1], name=name, **kwargs)

    def result(self) -> Any:
        return keras.ops.exp(super().result())
