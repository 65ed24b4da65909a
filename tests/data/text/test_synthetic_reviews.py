"""Synthetic reviews: the rules of the grammar predict the labels with the stated best accuracy."""

import numpy as np
import pytest

from seqtasks.data.text.synthetic_reviews import BAD, CLASSES, GOOD, WRONG, opinions


def rule(text):
    """Label by the rules: that of the last clause; "not" negates it."""
    clause = text.removesuffix(" .").split(" but ")[-1] if " but the " in text else text.removesuffix(" .")
    clause = clause.split(" , ")[-1].split(" and ")[-1]
    good = any(word in GOOD for word in clause.split())
    assert good != any(word in BAD for word in clause.split())
    return CLASSES[int(good != (" was not " in clause))]


def test_the_best_reachable_accuracy_is_known():
    texts, labels = opinions(4000, 0)
    right = np.mean([rule(text) == label for text, label in zip(texts, labels, strict=True)])
    assert right == pytest.approx(1 - WRONG, abs=0.012)  # a standard error of 0.0034
    assert 0.47 < np.mean([label == "positive" for label in labels]) < 0.53
    assert opinions(50, 1) == opinions(50, 1) != opinions(50, 2)


def test_words_alone_tell_little():
    texts, labels = opinions(4000, 0)
    guess = [CLASSES[int(sum((w in GOOD) - (w in BAD) for w in text.split()) > 0)] for text in texts]
    assert np.mean([g == label for g, label in zip(guess, labels, strict=True)]) < 0.75
