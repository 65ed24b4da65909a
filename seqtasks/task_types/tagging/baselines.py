"""Tagging baselines: most frequent tag of each word, logistic regression on word features."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from seqtasks.data.text.conll import Sentence

Predicted = list[list[str]]


def most_frequent(train: Sequence[Sentence], test: Sequence[Sentence], suffix: int = 5) -> tuple[Predicted, int]:
    """Tags each word with its most frequent tag, and unknown words by their suffix.

    The tag of an unknown word is the most frequent tag of its longest suffix that occurs in rare training words.

    Args:
        train: Training sentences.
        test: Sentences to tag; their tags are not used.
        suffix: Maximum length of a suffix in characters.

    Returns:
        Predicted tags of `test`, and the number of entries of both tables.

    Example:
        >>> train = [(["the", "cat", "ran"], ["DET", "NOUN", "VERB"]), (["the", "dog"], ["DET", "NOUN"])]
        >>> most_frequent(train, [(["the", "bat"], ["DET", "NOUN"])])[0]
        [['DET', 'NOUN']]
    """
    words: dict[str, Counter[str]] = defaultdict(Counter)
    for sentence, labels in train:
        for word, label in zip(sentence, labels, strict=True):
            words[word][label] += 1
    suffixes: dict[str, Counter[str]] = defaultdict(Counter)
    for word, counts in words.items():
        if counts.total() <= 10:  # unknown words resemble rare words, not frequent ones such as "the"
            for end in _suffixes(word, suffix):
                suffixes[end].update(counts)
    best = {word: counts.most_common(1)[0][0] for word, counts in words.items()}
    best_of_suffix = {end: counts.most_common(1)[0][0] for end, counts in suffixes.items()}
    overall = Counter(label for _, labels in train for label in labels).most_common(1)[0][0]

    def tag(word: str) -> str:
        ends = (end for end in _suffixes(word, suffix) if end in best_of_suffix)
        return best.get(word) or next((best_of_suffix[end] for end in ends), overall)

    return [[tag(word) for word in sentence] for sentence, _ in test], len(best) + len(best_of_suffix)


def word_shapes(train: Sequence[Sentence], test: Sequence[Sentence], seed: int = 0) -> tuple[Predicted, int]:
    """Tags by one-vs-rest logistic regression on the form, shape and neighbours of each word.

    Args:
        train: Training sentences.
        test: Sentences to tag; their tags are not used.
        seed: Random seed of stochastic gradient descent.

    Returns:
        Predicted tags of `test`, and the number of fitted weights.
    """
    from sklearn.feature_extraction import DictVectorizer
    from sklearn.linear_model import SGDClassifier

    vectorizer = DictVectorizer(dtype=np.float32)

    def vectors(sentences: Sequence[Sentence], fit: bool) -> Any:
        rows = [_features(words, i) for words, _ in sentences for i in range(len(words))]
        matrix = vectorizer.fit_transform(rows) if fit else vectorizer.transform(rows)
        # SGDClassifier accepts sparse matrices with 32-bit indices only.
        matrix.indices, matrix.indptr = matrix.indices.astype(np.int32), matrix.indptr.astype(np.int32)
        return matrix

    y = [label for _, labels in train for label in labels]
    if len(set(y)) == 1:
        return [[y[0]] * len(words) for words, _ in test], 0
    fitted = SGDClassifier("log_loss", alpha=1e-6, max_iter=10, tol=None, random_state=seed)
    fitted.fit(vectors(train, fit=True), y)
    flat = iter(fitted.predict(vectors(test, fit=False)))
    return [[str(next(flat)) for _ in words] for words, _ in test], fitted.coef_.size + fitted.intercept_.size


def _suffixes(word: str, longest: int) -> list[str]:
    """Suffixes of a word, the longest first, each after a sign for digits (9), a capital (A) or neither (a)."""
    kind = "9" if any(c.isdigit() for c in word) else "A" if word[:1].isupper() else "a"
    return [kind + word[len(word) - n :].lower() for n in range(min(longest, len(word)), -1, -1)]


def _shape(word: str) -> str:
    """Shape of a word: A and a for letters, 9 for digits, each run only once, such as aAa9 for iPhone6."""
    shape = ""
    for c in word:
        kind = "A" if c.isupper() else "a" if c.isalpha() else "9" if c.isdigit() else c
        shape += kind if not shape.endswith(kind) else ""
    return shape


def _features(words: Sequence[str], i: int) -> dict[str, Any]:
    """Features of the word at position `i` of a sentence."""
    word = words[i].lower()
    features = {"word": word, "shape": _shape(words[i]), "first": i == 0}
    features |= {f"prefix {n}": word[:n] for n in (1, 2, 3)} | {f"suffix {n}": word[-n:] for n in (1, 2, 3, 4)}
    for offset in (-2, -1, 1, 2):
        neighbour = words[i + offset] if 0 <= i + offset < len(words) else "·"
        features[f"word {offset:+d}"] = neighbour.lower()
        if abs(offset) == 1:
            features |= {f"shape {offset:+d}": _shape(neighbour), f"suffix {offset:+d}": neighbour[-3:].lower()}
    return features
