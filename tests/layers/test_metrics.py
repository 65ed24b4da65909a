"""Scores against scikit-learn and against sums in higher precision."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, log_loss

from seqtasks.layers.metrics import Perplexity, classification_scores, language_scores, log_softmax

RNG = np.random.default_rng(0)


def test_scores_equal_scikit_learns():
    logits, targets = RNG.normal(size=(300, 7)) * 3, RNG.integers(0, 7, 300)
    scores = classification_scores(logits, targets)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    assert scores["nll"] == pytest.approx(log_loss(targets, probabilities, labels=range(7)), rel=1e-12)
    assert scores["accuracy"] == accuracy_score(targets, logits.argmax(-1))
    assert all(type(value) is float for value in scores.values())


def test_log_probabilities_in_single_precision_are_computed_in_double():
    logits = RNG.normal(size=(5, 3)).astype("float32")
    assert log_softmax(logits).dtype == np.float64
    wide = logits.astype(np.longdouble)
    np.testing.assert_allclose(log_softmax(logits), wide - np.log(np.exp(wide).sum(-1, keepdims=True)), rtol=1e-12)


def test_large_logits_stay_finite():
    np.testing.assert_allclose(log_softmax(np.array([[1e4, 0.0], [-1e4, -1e4]])), [[0, -1e4], [-np.log(2)] * 2])


def test_scores_are_of_the_whole_not_of_batches():
    logits, targets = np.array([[9.0, 0], [9, 0], [0, 9]]), np.array([0, 0, 0])
    assert classification_scores(logits, targets)["accuracy"] == pytest.approx(2 / 3)


def test_perplexity_is_of_the_sum_and_not_a_mean_of_batches():
    metric, rng, total, count = Perplexity(), np.random.default_rng(0), 0.0, 0
    for rows in (1, 5):
        logits = rng.normal(size=(rows, 3, 4), scale=3)
        targets, weights = rng.integers(4, size=(rows, 3)), rng.integers(2, size=(rows, 3))
        nll = -np.take_along_axis(log_softmax(logits), targets[:, :, None], axis=2)[:, :, 0]
        metric.update_state(targets, nll.astype("float32"), sample_weight=weights.astype("float32"))
        total, count = total + (nll * weights).sum(), count + weights.sum()
    assert float(metric.result()) == pytest.approx(np.exp(total / count), rel=1e-4)
    assert language_scores(total, count)["perplexity"] == pytest.approx(np.exp(total / count))
    assert language_scores(total, count)["bits"] == pytest.approx(total / count / np.log(2))
