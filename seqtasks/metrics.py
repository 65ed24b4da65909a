"""Scores over a whole split, exact whatever the batches."""

from __future__ import annotations

import numpy as np


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Log-probabilities over the last axis, in float64."""
    logits = np.asarray(logits, dtype=np.float64)
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


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
