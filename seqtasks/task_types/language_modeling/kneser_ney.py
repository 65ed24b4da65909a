"""Baseline: trigram model with interpolated Kneser-Ney smoothing, on NLTK's counts.

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
    """The scores of the trigram model; every token of the test text but the first counts, as for models.

    Args:
        splits: of a language model.
        size: of the vocabulary.
    """
    model, text = fit(_tokens(splits.train), size), _tokens(splits.test)
    seen = Counter(tuple(text[max(0, end - ORDER) : end]) for end in range(2, len(text) + 1))
    nll = sum(-times * math.log(model.unmasked_score(gram[-1], gram[:-1])) for gram, times in seen.items())
    return Baseline(language_scores(nll, len(text) - 1), model.counts.N(), "NLTK")


def fit(tokens: list[int], size: int) -> Any:
    """NLTK's model of a text of token numbers below `size`; `unmasked_score(token, context)` is a probability."""
    # A guard of newer NLTK against texts of strangers that fill the memory.
    counter.MAX_NGRAMS = max(getattr(counter, "MAX_NGRAMS", 0), ORDER * len(tokens))
    model = InterpolatedLanguageModel(Smoothing, ORDER, params={"order": ORDER, "size": size})
    model.counts.update([_grams(tokens)])
    model.estimator.prepare()
    return model


class Smoothing(KneserNey):
    """Kneser-Ney smoothing whose sums over n-grams are made once; NLTK's goes through all of them at each query.

    The discount is n₁ / (n₁ + 2 n₂) of the trigrams; unigrams are interpolated with the
    uniform distribution, so that no token is impossible.

    References: Kneser & Ney 1995, https://doi.org/10.1109/ICASSP.1995.479394; Chen & Goodman
    1999, https://doi.org/10.1006/csla.1999.0128
    """

    def __init__(self, vocabulary: Any, counts: Any, order: int, size: int):
        super().__init__(vocabulary, counts, order)
        self.size = size

    def prepare(self) -> None:
        """Sums the counts."""
        times = Counter(n for followers in self.counts[ORDER].values() for n in followers.values() if n < 3)
        self.discount = times[1] / (times[1] + 2 * times[2]) if times[1] else 0.5
        self._continuations: dict[Any, Counter[int]] = defaultdict(Counter)
        for order in range(2, ORDER + 1):
            for context, followers in self.counts[order].items():
                self._continuations[context[1:]].update(followers.keys())
        self._totals = {context: followers.total() for context, followers in self._continuations.items()}
        self._full = {context: followers.N() for context, followers in self.counts[ORDER].items()}

    def unigram_score(self, word: int) -> float:
        kinds, total = self._continuations[()], self._totals[()]
        backoff_mass = self.discount * len(kinds) / total
        return max(kinds[word] - self.discount, 0.0) / total + backoff_mass / self.size

    def alpha_gamma(self, word: int, context: tuple[int, ...]) -> tuple[float, float]:
        if len(context) + 1 == ORDER:
            counts, total = self.counts[context], self._full[context]
        else:
            counts, total = self._continuations[context], self._totals.get(context, 0)
        if not total:  # a token that only begins the text continues nothing
            return 0.0, 1.0
        return max(counts[word] - self.discount, 0.0) / total, self.discount * len(counts) / total


def _tokens(examples: Examples) -> list[int]:
    tokens: list[int] = np.asarray(examples.inputs["tokens"]).tolist()
    return [*tokens, int(examples.targets[-1])]


def _grams(tokens: list[int]) -> Iterator[tuple[int, ...]]:
    for order in range(1, ORDER + 1):
        yield from zip(*(tokens[i:] for i in range(order)), strict=False)
