"""Tagging baselines: most frequent tag, logistic regression over word shapes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from seqtasks.data.text.conll import Sentence

Predicted = list[list[str]]


def most_frequent(train: Sequence[Sentence], test: Sequence[Sentence], suffix: int = 5) -> tuple[Predicted, int]:
    """The most frequent tag of each word; of an unknown one, that of the longest suffix known from rare words.

    Args:
        train: to count.
        test: to tag.
        suffix: the longest, in characters.

    Returns:
        Tags of `test`, and how many entries the tables have.
    """
    words: dict[str, Counter[str]] = defaultdict(Counter)
    for sentence, labels in train:
        for word, label in zip(sentence, labels, strict=True):
            words[word][label] += 1
    ends: dict[str, Counter[str]] = defaultdict(Counter)
    for word, counts in words.items():
        if counts.total() <= 10:  # unknown words are like rare ones, not like "the"
            for end in _ends(word, suffix):
                ends[end].update(counts)
    best = {word: counts.most_common(1)[0][0] for word, counts in words.items()}
    by_end = {end: counts.most_common(1)[0][0] for end, counts in ends.items()}
    overall = Counter(label for _, labels in train for label in labels).most_common(1)[0][0]

    def tag(word: str) -> str:
        known = best.get(word)
        return known or next((by_end[end] for end in _ends(word, suffix) if end in by_end), overall)

    return [[tag(word) for word in sentence] for sentence, _ in test], len(best) + len(by_end)


def word_shapes(train: Sequence[Sentence], test: Sequence[Sentence], seed: int = 0) -> tuple[Predicted, int]:
    """Logistic regression, one tag against the rest, over a word's form, shape and neighbours.

    Returns:
        Tags of `test`, and how many weights were fitted.
    """
    from sklearn.feature_extraction import DictVectorizer
    from sklearn.linear_model import SGDClassifier

    vectorizer = DictVectorizer(dtype=np.float32)

    def vectors(sentences: Sequence[Sentence], learn: bool) -> Any:
        rows = [_features(words, i) for words, _ in sentences for i in range(len(words))]
        matrix = vectorizer.fit_transform(rows) if learn else vectorizer.transform(rows)
        # SGD wants these.
        matrix.indices, matrix.indptr = matrix.indices.astype(np.int32), matrix.indptr.astype(np.int32)
        return matrix

    y = [label for _, labels in train for label in labels]
    if len(set(y)) == 1:
        return [[y[0]] * len(words) for words, _ in test], 0
    fitted = SGDClassifier("log_loss", alpha=1e-6, max_iter=10, tol=None, random_state=seed)
    fitted.fit(vectors(train, learn=True), y)
    flat = iter(fitted.predict(vectors(test, learn=False)))
    return [[str(next(flat)) for _ in words] for words, _ in test], fitted.coef_.size + fitted.intercept_.size


def _ends(word: str, most: int) -> list[str]:
    """Its suffixes with its kind in front, the longest first."""
    kind = "9" if any(c.isdigit() for c in word) else "A" if word[:1].isupper() else "a"
    return [kind + word[len(word) - n :].lower() for n in range(min(most, len(word)), -1, -1)]


def _shape(word: str) -> str:
    """Aa for capitals and small letters, 9 for digits, each run once: iPhone6 → aAa9."""
    shape = ""
    for c in word:
        kind = "A" if c.isupper() else "a" if c.isalpha() else "9" if c.isdigit() else c
        shape += kind if not shape.endswith(kind) else ""
    return shape


def _features(words: Sequence[str], i: int) -> dict[str, Any]:
    word = words[i].lower()
    features = {"word": word, "shape": _shape(words[i]), "first": i == 0}
    features |= {f"prefix {n}": word[:n] for n in (1, 2, 3)} | {f"suffix {n}": word[-n:] for n in (1, 2, 3, 4)}
    for offset in (-2, -1, 1, 2):
        near = words[i + offset] if 0 <= i + offset < len(words) else "·"
        features[f"word {offset:+d}"] = near.lower()
        if abs(offset) == 1:
            features |= {f"shape {offset:+d}": _shape(near), f"suffix {offset:+d}": near[-3:].lower()}
    return features
