"""Connectionist temporal classification: greedy and prefix beam search, error rates, alignment.

A path gives each step a label or the blank; runs of one label are one label, and blanks are
left out: `1 1 – 1 2` writes `1 1 2`. The probability of a label sequence is the sum over all
its paths. Here are the decoders and the error rate; the loss is `keras.losses.CTC`. The blank
is number 0, labels begin at 1.

Reference: Graves et al. 2006, https://doi.org/10.1145/1143844.1143891
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np

from seqtasks.core.arrays import FloatArray
from seqtasks.layers.speech import BLANK

Labels = tuple[int, ...]
# The log-probabilities (labels,) of what comes after some labels; place 0 is label 1.
LanguageModel = Callable[[Labels], FloatArray]
Beams = dict[Labels, tuple[float, float]]
NONE = -math.inf


def steps_needed(labels: Sequence[int]) -> int:
    """The fewest steps that can write `labels`: one each, and a blank between equal neighbours."""
    return len(labels) + sum(a == b for a, b in itertools.pairwise(labels))


def greedy(log_p: FloatArray) -> Labels:
    """What the likeliest path writes.

    Args:
        log_p: (steps, 1 + labels) log-probabilities, or logits.
    """
    best = log_p.argmax(axis=-1)
    first = np.ones(len(best), bool)
    first[1:] = best[1:] != best[:-1]
    return tuple(int(n) for n in best[first & (best != BLANK)])


def prefix_beam_search(
    log_p: FloatArray,
    beams: int,
    language: LanguageModel | None = None,
    weight: float = 0.0,
    bonus: float = 0.0,
    least: float = NONE,
) -> list[tuple[Labels, float]]:
    """The label sequences that score highest, best first, and their scores.

    The score is log p(labels | steps) + weight · log p(labels) + bonus · number of labels. Each beam is a
    prefix, with the probabilities of its paths that end in a blank and of those that do not. With as
    many beams as there are prefixes the search is exact.

    Reference: Hannun et al. 2014, https://arxiv.org/abs/1408.2873

    Args:
        log_p: (steps, 1 + labels) log-probabilities.
        beams: prefixes kept after each step.
        language: a language model over labels; None: no labels are likelier than others.
        weight: of the language model.
        bonus: for each label, against the language model's liking for short sequences.
        least: labels less likely than this at a step, in log-probability, are not tried there.

    Raises:
        ValueError: fewer than one beam, or not (steps, 1 + labels).
    """
    log_p = np.asarray(log_p, np.float64)
    if beams < 1 or log_p.ndim != 2 or log_p.shape[1] < 2:
        raise ValueError(f"beams is {beams} and log_p has shape {log_p.shape}; allowed: 1 or more, (steps, 1 + labels)")
    liking: dict[Labels, float] = {(): 0.0}  # weight · log p(prefix) + bonus · length

    def like(prefix: Labels) -> float:
        if prefix not in liking:
            gain = weight * float(language(prefix[:-1])[prefix[-1] - 1]) if language is not None and weight else 0.0
            liking[prefix] = like(prefix[:-1]) + gain + bonus
        return liking[prefix]

    def score(prefix: Labels) -> float:
        return _add(*before[prefix]) + like(prefix)

    before: Beams = {(): (0.0, NONE)}
    kept = before
    for step in log_p.tolist():
        before = _longer(kept, before, step, [n for n in range(1, len(step)) if step[n] > least])
        kept = {prefix: before[prefix] for prefix in heapq.nlargest(beams, before, key=score)}
    return [(prefix, score(prefix)) for prefix in kept]


def _longer(kept: Beams, before: Beams, step: list[float], tried: list[int]) -> Beams:
    """What the kept prefixes are after another step, and those that are one label longer.

    Args:
        kept: log-probabilities of the paths of each that end in a blank, and of those that do not.
        before: the same, with what was not kept.
        step: log-probabilities of the blank and the labels.
        tried: labels that may come next.
    """
    blanks: dict[Labels, float] = {}
    labels: dict[Labels, float] = {}
    for prefix, (blank, label) in kept.items():
        both, last = _add(blank, label), prefix[-1] if prefix else BLANK
        blanks[prefix] = both + step[BLANK]
        if last != BLANK:
            labels[prefix] = _add(labels.get(prefix, NONE), label + step[last])
        for number in tried:
            longer = (*prefix, number)
            # The same label again is another label only after a blank.
            score = (blank if number == last else both) + step[number]
            labels[longer] = _add(labels[longer], score) if longer in labels else score
            if longer in before and longer not in kept:  # not kept, it comes back with what it had
                blanks[longer] = _add(*before[longer]) + step[BLANK]
                labels[longer] = _add(labels[longer], before[longer][1] + step[number])
    ends = {prefix: (blanks.get(prefix, NONE), labels.get(prefix, NONE)) for prefix in blanks | labels}
    return {prefix: both for prefix, both in ends.items() if max(both) > NONE}  # not 1 1 right after 1


def _add(a: float, b: float) -> float:
    """log(exp(a) + exp(b)); NumPy's is slow for single numbers."""
    if a < b:
        a, b = b, a
    return a if b == NONE else a + math.log1p(math.exp(b - a))


def ngram(strings: Sequence[Sequence[int]], labels: int, order: int) -> LanguageModel:
    """A language model over labels: an n-gram model with Witten-Bell smoothing, by NLTK.

    Args:
        strings: label numbers from 1.
        labels: how many there are.
        order: n; 2 sees one label before.
    """
    from nltk.lm import Vocabulary, WittenBellInterpolated
    from nltk.lm.preprocessing import pad_both_ends
    from nltk.util import everygrams

    names = [str(n) for n in range(1, labels + 1)]
    rows = [list(pad_both_ends([str(n) for n in row], n=order)) for row in strings]
    model = WittenBellInterpolated(order, vocabulary=Vocabulary([*names, "<s>", "</s>"]))
    model.fit([everygrams(row, max_len=order) for row in rows])
    known: dict[tuple[str, ...], FloatArray] = {}

    def language(prefix: Labels) -> FloatArray:
        context = tuple(["<s>"] * (order - 1) + [str(n) for n in prefix])[len(prefix) :] if order > 1 else ()
        if context not in known:
            scores = np.array([model.score(name, context) for name in names])
            known[context] = np.log(np.maximum(scores, 1e-12) / max(scores.sum(), 1e-12))
        return known[context]

    return language


def error_rate(true: Sequence[Sequence[int]], predicted: Sequence[Sequence[int]]) -> float:
    """Edits that turn the predicted sequences into the true ones, over the number of true labels; all may be empty."""
    from nltk import edit_distance

    edits = sum(edit_distance(list(a), list(b)) for a, b in zip(true, predicted, strict=True))
    labels = sum(map(len, true))
    return edits / labels if labels else float(edits > 0)


def exact(true: Sequence[Sequence[int]], predicted: Sequence[Sequence[int]]) -> float:
    """The share of sequences predicted without a mistake."""
    return float(np.mean([tuple(a) == tuple(b) for a, b in zip(true, predicted, strict=True)]))


def aligned(true: Sequence[int], predicted: Sequence[int]) -> list[tuple[int, int]]:
    """Pairs of true and predicted labels with the fewest edits; 0 stands for nothing."""
    from nltk.metrics.distance import edit_distance_align

    steps = edit_distance_align(list(true), list(predicted))
    return [
        (true[i - 1] if i > a else 0, predicted[j - 1] if j > b else 0) for (a, b), (i, j) in itertools.pairwise(steps)
    ]
