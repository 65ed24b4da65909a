"""Trigram baseline, compared with a brute-force implementation of the papers and with NLTK's smoothing."""

import math
from itertools import product

import numpy as np
import pytest
from nltk.lm.models import InterpolatedLanguageModel
from nltk.lm.smoothing import KneserNey

from seqtasks.data.spec import Spec
from seqtasks.data.splits import Splits
from seqtasks.data.text.bptt_batches import next_tokens
from seqtasks.task_types.language_modeling import kneser_ney

SIZE = 6
TEXT = np.random.default_rng(0).choice(5, size=300, p=[0.4, 0.3, 0.2, 0.05, 0.05]).tolist()  # 5 does not occur


def by_hand(text, word, context, discount):
    """Probability by the recursion of Chen & Goodman 1999, equations 21 to 24, over lists of n-grams."""
    grams = {n: list(zip(*(text[i:] for i in range(n)), strict=False)) for n in (1, 2, 3)}

    def count(gram, n):
        if n == 3:
            return grams[3].count(gram)
        return len({g[0] for g in set(grams[n + 1]) if g[1:] == gram})  # distinct words before it

    def p(word, context):
        n = len(context) + 1
        counts = [count((*context, w), n) for w in range(SIZE)]
        lower = p(word, context[1:]) if context else 1 / SIZE
        if not sum(counts):
            return lower
        backoff_mass = discount * sum(c > 0 for c in counts) / sum(counts)
        return max(counts[word] - discount, 0) / sum(counts) + backoff_mass * lower

    return p(word, context)


@pytest.fixture(scope="module")
def model():
    return kneser_ney.fit(TEXT, SIZE)


def test_it_is_the_recursion_of_the_papers(model):
    contexts = [(), (0,), (3,), (5,), (0, 1), (4, 3), (5, 5), (3, 5), (2, 2)]
    for context, word in product(contexts, range(SIZE)):
        expected = by_hand(TEXT, word, context, model.estimator.discount)
        assert model.unmasked_score(word, context) == pytest.approx(expected, rel=1e-9)


def test_probabilities_sum_to_one_and_none_is_zero(model):
    for context in [(), *((a,) for a in range(SIZE)), *product(range(SIZE), repeat=2)]:
        probabilities = [model.unmasked_score(word, context) for word in range(SIZE)]
        assert sum(probabilities) == pytest.approx(1) and min(probabilities) > 0


def test_it_is_that_of_nltk_but_for_the_unigrams(model):
    params = {"order": 3, "discount": model.estimator.discount}
    theirs = InterpolatedLanguageModel(KneserNey, 3, params=params)
    theirs.counts = theirs.estimator.counts = model.counts
    theirs.estimator.unigram_score = model.estimator.unigram_score
    for context, word in product([(0, 1), (1, 0), (2, 2), (4,), (0,)], range(5)):
        assert model.unmasked_score(word, context) == pytest.approx(theirs.unmasked_score(word, context), rel=1e-9)


def test_every_token_but_the_first_is_scored(model):
    test = np.array([0, 1, 5, 2, 0, 1, 5])
    splits = Splits(next_tokens(np.array(TEXT)), next_tokens(test), next_tokens(test), "here", "0", Spec())
    baseline = kneser_ney.baseline(splits, SIZE)
    nll = -sum(
        math.log(model.unmasked_score(int(w), tuple(test[max(0, i - 2) : i].tolist()))) for i, w in enumerate(test) if i
    )
    assert baseline.scores["nats"] == pytest.approx(nll / 6)
    assert baseline.scores["perplexity"] == pytest.approx(math.exp(nll / 6))
    assert baseline.params == model.counts.N()
