"""Tagging scores: accuracy, span precision, recall and F1."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import chain
from operator import eq

import numpy as np

from seqtasks.core.arrays import IntArray
from seqtasks.core.errors import DataError
from seqtasks.core.span_scheme import span_scheme, spans_of

Rows = Sequence[Sequence[str]]  # labels or words of each sentence, without padding


def tagging_scores(
    true: Rows,
    predicted: Rows,
    words: Rows | None = None,
    known: Collection[str] | None = None,
    labels: Collection[str] | None = None,
) -> dict[str, float]:
    """Computes accuracy, accuracy on unseen words, and span precision, recall and F1.

    Labels of spans (see `span_scheme`) also have `precision`, `recall` and `f1` over all spans. A span is correct only
    if its begin, end and kind are, as in the strict mode of https://github.com/chakki-works/seqeval. Labels at
    positions where the scheme does not allow them, such as an I- after an O, make no span.

    Args:
        true: Target labels.
        predicted: Predicted labels, as many as targets.
        words: The labelled words, needed for `unseen_accuracy`.
        known: Words of the training split, needed for `unseen_accuracy`.
        labels: Labels of the whole data set, which determine the scheme of spans; None: those of `true` and
            `predicted`, which may lack some.

    Returns:
        Scores from 0 to 1 by name. `unseen_accuracy`, over the words that are not in `known`, is left out if there are
        no such words.

    Raises:
        DataError: No labels, different numbers of labels, or span labels together with other labels.

    Example:
        >>> tagging_scores([["B-PER", "I-PER", "O", "O"]], [["B-PER", "I-PER", "O", "B-LOC"]])
        {'accuracy': 0.75, 'precision': 0.5, 'recall': 1.0, 'f1': 0.6666666666666666}
    """
    hits = [a == b for a, b in zip(*_flat(true, predicted), strict=True)]
    scores = {"accuracy": float(np.mean(hits))}
    if words is not None and known is not None:
        flat, _ = _flat(words, true)
        known = frozenset(known)
        unseen = [hit for hit, word in zip(hits, flat, strict=True) if word not in known]
        if unseen:
            scores["unseen_accuracy"] = float(np.mean(unseen))
    labels = {*chain(*true, *predicted)} if labels is None else labels
    if span_scheme(labels) is not None:
        terms, _ = sentence_terms(true, predicted, labels)
        correct, positive, relevant = map(int, terms.sum(axis=0))
        precision, recall = correct / max(1, positive), correct / max(1, relevant)
        f1 = 2 * precision * recall / (precision + recall) if correct else 0.0
        scores |= {"precision": precision, "recall": recall, "f1": f1}
    return scores


def sentence_terms(true: Rows, predicted: Rows, labels: Collection[str]) -> tuple[IntArray, str]:
    """Computes the terms of the primary metric for each sentence.

    Args:
        true: Target labels.
        predicted: Predicted labels, as many as targets.
        labels: Labels of the whole data set, which determine the scheme of spans.

    Returns:
        Numbers of correct, predicted and true spans, `(sentences, 3)`, and "f1"; for labels that are not those of
        spans numbers of correct and of all labels, `(sentences, 2)`, and "mean".

    Example:
        >>> terms, formula = sentence_terms([["DET", "NOUN"]], [["DET", "VERB"]], ["DET", "NOUN", "VERB"])
        >>> terms.tolist(), formula
        ([[1, 2]], 'mean')
    """
    scheme = span_scheme(labels)
    if scheme is None:
        return np.array([[sum(map(eq, a, b)), len(a)] for a, b in zip(true, predicted, strict=True)]), "mean"
    pairs = [(spans_of(a, scheme), spans_of(b, scheme)) for a, b in zip(true, predicted, strict=True)]
    return np.array([[len(a & b), len(b), len(a)] for a, b in pairs]), "f1"


def _flat(one: Rows, other: Rows) -> tuple[list[str], list[str]]:
    """Concatenates the sentences of both arguments and checks that their lengths are equal."""
    lengths, other_lengths = [len(row) for row in one], [len(row) for row in other]
    if lengths != other_lengths:
        raise DataError(
            f"received {sum(lengths)} and {sum(other_lengths)} labels in {len(one)} and {len(other)} sentences; "
            "allowed: as many in each; remove padding from both"
        )
    if not sum(lengths):
        raise DataError("received no labels; allowed: one or more; pass sentences with words")
    return list(chain(*one)), list(chain(*other))
