"""Metrics over a whole split, independent of batching."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Log-probabilities over the last axis, in float64."""
    from scipy import special

    return np.asarray(special.log_softmax(np.asarray(logits, np.float64), axis=-1))


def linear_logits(fitted: Any, features: Any, classes: int) -> np.ndarray:
    """Logits (examples, classes) of a fitted linear classifier of scikit-learn; -50 for classes it was not fitted on.

    Args:
        fitted: has `decision_function` and `classes_`, which are class numbers.
        features: (examples, features).
        classes: their number.
    """
    scores = np.asarray(fitted.decision_function(features), np.float64)
    if scores.ndim == 1:  # scikit-learn gives one column for two classes
        scores = np.stack([-scores / 2, scores / 2], axis=1)
    logits = np.full((len(scores), classes), -50.0)
    logits[:, fitted.classes_] = scores
    return logits


def classification_scores(logits: np.ndarray, targets: np.ndarray) -> dict[str, float]:
    """Accuracy and mean negative log-likelihood.

    Args:
        logits: (examples, classes).
        targets: (examples,) class numbers.

    Returns:
        `accuracy`, a fraction, and `nll` in nats an example.
    """
    chosen = log_softmax(logits)[np.arange(len(targets)), targets]
    return {"accuracy": float(np.mean(np.argmax(logits, axis=-1) == targets)), "nll": float(-np.mean(chosen))}


def language_scores(nll: float, tokens: int) -> dict[str, float]:
    """Scores of a language model from the sum over all tokens, never from means of batches.

    Args:
        nll: negative log-likelihood of all tokens, in nats.
        tokens: how many.

    Returns:
        `nats` and `bits` a token, and `perplexity`.
    """
    nats = nll / tokens
    return {"nats": nats, "bits": nats / math.log(2), "perplexity": math.exp(min(nats, 700.0))}


class Nats(keras.metrics.MeanMetricWrapper):
    """The mean of all negative log-likelihoods so far, the output of a language model, by their weights."""

    def __init__(self, name: str = "nats", **kwargs: Any):
        super().__init__(lambda y_true, y_pred: y_pred, name=name, **kwargs)


class Perplexity(Nats):
    """exp of that mean."""

    def __init__(self, name: str = "perplexity", **kwargs: Any):
        super().__init__(name=name, **kwargs)

    def result(self) -> Any:
        return keras.ops.exp(super().result())


class TagAccuracy(keras.metrics.MeanMetricWrapper):
    """The share of right tags so far, by their weights: the second column of what `TagHead` gives."""

    def __init__(self, name: str = "accuracy", **kwargs: Any):
        super().__init__(lambda y_true, y_pred: y_pred[..., 1], name=name, **kwargs)


class TargetPerplexity(keras.metrics.MeanMetricWrapper):
    """Perplexity of the targets: exp of the weighted mean of the second column of `LabelSmoothingHead`."""

    def __init__(self, name: str = "perplexity", **kwargs: Any):
        super().__init__(lambda y_true, y_pred: y_pred[..., 1], name=name, **kwargs)

    def result(self) -> Any:
        return keras.ops.exp(super().result())
