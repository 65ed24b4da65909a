"""Trigram baseline with interpolated Kneser-Ney smoothing, based on NLTK.

Importing this module imports NLTK (https://www.nltk.org/api/nltk.lm.html).
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
from nltk.lm import counter
from nltk.lm.models import InterpolatedLanguageModel
from nltk.lm.smoothing import KneserNey

from seqtasks.data.splits import Examples, Splits
from seqtasks.layers.metrics import language_scores
from seqtasks.task_types.base import Baseline

ORDER = 3


def baseline(splits: Splits, size: int) -> Baseline:
    """Fits the trigram model and scores it on the test text.

    Every token of the test text but the first is scored, as for neural models.

    Args:
        splits: Splits of a language model.
        size: Vocabulary size.
    """
    model, text = fit(_tokens(splits.train), size), _tokens(splits.test)
    counts = Counter(tuple(text[max(0, end - ORDER) : end]) for end in range(2, len(text) + 1))
    nll = sum(-count * math.log(model.unmasked_score(gram[-1], gram[:-1])) for gram, count in counts.items())
    return Baseline(language_scores(nll, len(text) - 1), model.counts.N(), "NLTK")


def fit(tokens: list[int], size: int) -> Any:
    """Fits the trigram model to a text.

    Args:
        tokens: Token numbers of the text, below `size`.
        size: Vocabulary size.

    Returns:
        A language model of NLTK; `unmasked_score(token, context)` is the probability of a token.

    Example:
        >>> model = fit([0, 1, 2, 0, 1, 2, 0, 1], size=3)
        >>> round(sum(model.unmasked_score(token, (0, 1)) for token in range(3)), 6)
        1.0
    """
    # Recent NLTK limits the number of n-grams, to protect the memory from huge untrusted texts; raise the limit to the
    # size of this text.
    counter.MAX_NGRAMS = max(getattr(counter, "MAX_NGRAMS", 0), ORDER * len(tokens))
    model = InterpolatedLanguageModel(Smoothing, ORDER, params={"order": ORDER, "size": size})
    model.counts.update([_grams(tokens)])
    model.estimator.prepare()
    return model


class Smoothing(KneserNey):
    """Interpolated Kneser-Ney smoothing with precomputed sums over n-grams.

    NLTK's class iterates over all n-grams at each query. The discount is n₁ / (n₁ + 2 n₂), where n₁ and n₂ are the
    numbers of trigrams that occur once and twice. Unigrams are interpolated with the uniform distribution, so that no
    token has probability 0.

    References: Kneser & Ney 1995, https://doi.org/10.1109/ICASSP.1995.479394; Chen & Goodman
    1999, https://doi.org/10.1006/csla.1999.0128

    Args:
        vocabulary: Vocabulary of NLTK.
        counts: N-gram counts of NLTK.
        order: Maximum n, 3.
        size: Vocabulary size.
    """

    def __init__(self, vocabulary: Any, counts: Any, order: int, size: int):
        super().__init__(vocabulary, counts, order)
        self.size = size

    def prepare(self) -> None:
        """Computes the discount and the sums over n-grams; call it once, after counting."""
        counts = Counter(n for followers in self.counts[ORDER].values() for n in followers.values() if n < 3)
        self.discount = counts[1] / (counts[1] + 2 * counts[2]) if counts[1] else 0.5
        self._continuations: dict[Any, Counter[int]] = defaultdict(Counter)
        for order in range(2, ORDER + 1):
            for context, followers in self.counts[order].items():
                self._continuations[context[1:]].update(followers.keys())
        self._totals = {context: followers.total() for context, followers in self._continuations.items()}
        self._full = {context: followers.N() for context, followers in self.counts[ORDER].items()}

    def unigram_score(self, word: int) -> float:
        continuations, total = self._continuations[()], self._totals[()]
        backoff_mass = self.discount * len(continuations) / total
        return max(continuations[word] - self.discount, 0.0) / total + backoff_mass / self.size

    def alpha_gamma(self, word: int, context: tuple[int, ...]) -> tuple[float, float]:
        if len(context) + 1 == ORDER:
            counts, total = self.counts[context], self._full[context]
        else:
            counts, total = self._continuations[context], self._totals.get(context, 0)
        if not total:  # the context occurs only at the beginning of the text, or not at all
            return 0.0, 1.0
        return max(counts[word] - self.discount, 0.0) / total, self.discount * len(counts) / total


def _tokens(examples: Examples) -> list[int]:
    """All tokens of a text, including the last target."""
    tokens: list[int] = np.asarray(examples.inputs["tokens"]).tolist()
    return [*tokens, int(examples.targets[-1])]


def _grams(tokens: list[int]) -> Iterator[tuple[int, ...]]:
    """N-grams of a text for n = 1 to 3."""
    for order in range(1, ORDER + 1):
        yield from zip(*(tokens[i:] for i in range(order)), strict=False)
