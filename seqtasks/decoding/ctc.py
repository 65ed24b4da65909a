"""CTC (connectionist temporal classification): decoders, error rates, alignment.

A path assigns a label or the blank to each step. Its label sequence is obtained by merging repeated labels and
then removing blanks: the path `1 1 – 1 2` has the labels `1 1 2`. The probability of a label sequence is the sum
over all its paths. The loss is `keras.losses.CTC`. The blank has number 0, labels begin at 1.

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
# Returns the log-probabilities of the label that follows a prefix, `(labels,)`; index 0 is label 1.
LanguageModel = Callable[[Labels], FloatArray]
# Log-probabilities of a prefix: of its paths that end in a blank, and of those that end in its last label.
Beams = dict[Labels, tuple[float, float]]
LOG_ZERO = -math.inf


def steps_needed(labels: Sequence[int]) -> int:
    """Returns the minimum number of steps that a label sequence needs.

    It is one for each label and one for each blank between equal labels.
    """
    return len(labels) + sum(a == b for a, b in itertools.pairwise(labels))


def greedy(log_p: FloatArray) -> Labels:
    """Greedy decoding: the label sequence of the likeliest path.

    Args:
        log_p: Log-probabilities or logits of one row, `(steps, 1 + labels)`, without padding.

    Example:
        >>> greedy(np.eye(3)[[0, 1, 1, 0, 1, 2]])  # the path – 1 1 – 1 2
        (1, 1, 2)
    """
    best = log_p.argmax(axis=-1)
    changed = np.ones(len(best), bool)
    changed[1:] = best[1:] != best[:-1]
    return tuple(int(n) for n in best[changed & (best != BLANK)])


def prefix_beam_search(
    log_p: FloatArray,
    beams: int,
    language: LanguageModel | None = None,
    weight: float = 0.0,
    bonus: float = 0.0,
    least: float = LOG_ZERO,
) -> list[tuple[Labels, float]]:
    """CTC prefix beam search: the label sequences with the highest scores.

    The score is log p(labels | steps) + weight · log p(labels) + bonus · number of labels. A beam is a label
    prefix with two probabilities: of its paths that end in a blank, and of those that end in its last label.
    With as many beams as there are prefixes the search is exact.

    Masks: there is none; a batch, `(batch, steps, 1 + labels)`, is decoded row by row, each cut to its valid steps.

    Reference: Hannun et al. 2014, https://arxiv.org/abs/1408.2873

    Args:
        log_p: Log-probabilities of one row, `(steps, 1 + labels)`; column 0 is the blank.
        beams: Number of prefixes kept after each step.
        language: Language model: a function from a label prefix to the log-probabilities of the next label,
            `(labels,)`; None: no language model.
        weight: Weight of the language model.
        bonus: Score added for each label; compensates for the language model's preference of short sequences.
        least: Log-probability at or below which a label is not tried at a step.

    Returns:
        Pairs of a label sequence and its score, the best first.

    Raises:
        ValueError: `beams` is below 1, or `log_p` does not have the shape `(steps, 1 + labels)`.

    Example:
        >>> import numpy as np
        >>> from seqtasks.decoding import prefix_beam_search
        >>> log_p = np.log([[0.6, 0.4], [0.6, 0.4]])  # two steps; blank and label 1
        >>> [(labels, round(float(np.exp(score)), 2)) for labels, score in prefix_beam_search(log_p, beams=4)]
        [((1,), 0.64), ((), 0.36)]
    """
    log_p = np.asarray(log_p, np.float64)
    if beams < 1 or log_p.ndim != 2 or log_p.shape[1] < 2:
        raise ValueError(
            f"beams is {beams} and log_p has shape {log_p.shape}; allowed: 1 or more, and (steps, 1 + labels); pass "
            "such values, one row of a batch at a time"
        )
    prior: dict[Labels, float] = {(): 0.0}  # weight · log p(prefix) + bonus · length

    def prior_score(prefix: Labels) -> float:
        if prefix not in prior:
            log_prior = language(prefix[:-1])[prefix[-1] - 1] if language is not None and weight else 0.0
            prior[prefix] = prior_score(prefix[:-1]) + weight * float(log_prior) + bonus
        return prior[prefix]

    def score(prefix: Labels) -> float:
        return _add(*candidates[prefix]) + prior_score(prefix)

    candidates: Beams = {(): (0.0, LOG_ZERO)}
    kept = candidates
    for step in log_p.tolist():
        candidates = _extend(kept, candidates, step, [n for n in range(1, len(step)) if step[n] > least])
        kept = {prefix: candidates[prefix] for prefix in heapq.nlargest(beams, candidates, key=score)}
    return [(prefix, score(prefix)) for prefix in kept]


def _extend(kept: Beams, before: Beams, step: list[float], tried: list[int]) -> Beams:
    """Extends the kept prefixes by one step: unchanged, or longer by one label.

    Args:
        kept: Prefixes kept at the step before.
        before: All candidates of the step before, those that were not kept included.
        step: Log-probabilities of the blank and the labels at this step.
        tried: Labels that may be appended.

    Returns:
        The candidates of this step.
    """
    blanks: dict[Labels, float] = {}
    labels: dict[Labels, float] = {}
    for prefix, (blank, label) in kept.items():
        both, last = _add(blank, label), prefix[-1] if prefix else BLANK
        blanks[prefix] = both + step[BLANK]
        if last != BLANK:
            labels[prefix] = _add(labels.get(prefix, LOG_ZERO), label + step[last])
        for number in tried:
            longer = (*prefix, number)
            # A repeated label is a new label only after a blank; else the path merges it with the one before.
            score = (blank if number == last else both) + step[number]
            labels[longer] = _add(labels[longer], score) if longer in labels else score
            if longer in before and longer not in kept:  # it was pruned: continue its earlier paths, too
                blanks[longer] = _add(*before[longer]) + step[BLANK]
                labels[longer] = _add(labels[longer], before[longer][1] + step[number])
    ends = {prefix: (blanks.get(prefix, LOG_ZERO), labels.get(prefix, LOG_ZERO)) for prefix in blanks | labels}
    # A prefix without a path, such as 1 1 directly after 1 without a blank, is dropped.
    return {prefix: both for prefix, both in ends.items() if max(both) > LOG_ZERO}


def _add(a: float, b: float) -> float:
    """Returns log(exp(a) + exp(b)); `numpy.logaddexp` is slow for single numbers."""
    if a < b:
        a, b = b, a
    return a if b == LOG_ZERO else a + math.log1p(math.exp(b - a))


def ngram(strings: Sequence[Sequence[int]], labels: int, order: int) -> LanguageModel:
    """Fits an n-gram language model over labels.

    Probabilities have Witten-Bell smoothing and are computed by NLTK (https://www.nltk.org).

    Args:
        strings: Label sequences to count, numbers from 1.
        labels: Number of labels.
        order: Order n of the model: the number of previous labels it uses, plus one.

    Returns:
        The language model, as `prefix_beam_search` takes it.
    """
    from nltk.lm import Vocabulary, WittenBellInterpolated
    from nltk.lm.preprocessing import pad_both_ends
    from nltk.util import everygrams

    names = [str(n) for n in range(1, labels + 1)]
    rows = [list(pad_both_ends([str(n) for n in row], n=order)) for row in strings]
    model = WittenBellInterpolated(order, vocabulary=Vocabulary([*names, "<s>", "</s>"]))
    model.fit([everygrams(row, max_len=order) for row in rows])
    cache: dict[tuple[str, ...], FloatArray] = {}

    def language(prefix: Labels) -> FloatArray:
        context = tuple(["<s>"] * (order - 1) + [str(n) for n in prefix])[len(prefix) :] if order > 1 else ()
        if context not in cache:
            scores = np.array([model.score(name, context) for name in names])
            cache[context] = np.log(np.maximum(scores, 1e-12) / max(scores.sum(), 1e-12))
        return cache[context]

    return language


def error_rate(true: Sequence[Sequence[int]], predicted: Sequence[Sequence[int]]) -> float:
    """Label error rate: edit distance divided by the number of true labels.

    Args:
        true: True label sequences.
        predicted: Predicted label sequences, one for each true one.

    Returns:
        The error rate. Without true labels: 0 if no label is predicted, else 1.

    Example:
        >>> error_rate([(1, 2, 3), (4,)], [(1, 3), (4, 5)])  # a deletion and an insertion
        0.5
    """
    count = sum(edits(a, b) for a, b in zip(true, predicted, strict=True))
    labels = sum(map(len, true))
    return count / labels if labels else float(count > 0)


def edits(true: Sequence[int], predicted: Sequence[int]) -> int:
    """Edit distance of two label sequences: insertions, deletions and substitutions.

    Example:
        >>> edits((4,), (4, 5))
        1
    """
    from nltk import edit_distance

    return int(edit_distance(list(true), list(predicted)))


def exact(true: Sequence[Sequence[int]], predicted: Sequence[Sequence[int]]) -> float:
    """Share of sequences that are predicted without an error."""
    return float(np.mean([tuple(a) == tuple(b) for a, b in zip(true, predicted, strict=True)]))


def aligned(true: Sequence[int], predicted: Sequence[int]) -> list[tuple[int, int]]:
    """Aligns true and predicted labels with the fewest edits.

    Returns:
        Pairs of a true and a predicted label; 0 stands for a missing one (deletion or insertion).

    Example:
        >>> aligned([1, 2, 3], [1, 3])
        [(1, 1), (2, 0), (3, 3)]
    """
    from nltk.metrics.distance import edit_distance_align

    steps = edit_distance_align(list(true), list(predicted))
    return [
        (true[i - 1] if i > a else 0, predicted[j - 1] if j > b else 0) for (a, b), (i, j) in itertools.pairwise(steps)
    ]
