"""Tagging scores: accuracy, span precision, recall and F1, confusion matrix."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from itertools import chain
from operator import eq
from typing import TYPE_CHECKING

import numpy as np

from seqtasks.core.arrays import IntArray
from seqtasks.core.errors import DataError
from seqtasks.core.span_scheme import span_scheme, spans_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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


def confusion_figure(true: Rows, predicted: Rows, labels: Sequence[str], most: int = 20) -> Figure:
    """Draws a confusion matrix of the most frequent labels, in percent of the target label.

    Args:
        true: Target labels.
        predicted: Predicted labels, as many as targets.
        labels: Labels to draw; predictions of other labels are summed in a last column.
        most: Maximum number of labels to draw.

    Raises:
        DataError: No labels, or different numbers of labels.
    """
    from matplotlib.figure import Figure

    flat_true, flat_predicted = _flat(true, predicted)
    frequent, pairs = Counter(flat_true), Counter(zip(flat_true, flat_predicted, strict=True))
    drawn = sorted(labels, key=lambda label: -frequent[label])[:most]
    counts = np.array([[pairs[row, column] for column in drawn] for row in drawn])
    totals = np.array([frequent[row] for row in drawn])
    columns, other = list(drawn), totals - counts.sum(axis=1)
    if other.any():
        columns, counts = [*columns, "other"], np.column_stack([counts, other])
    shares = counts / np.maximum(1, totals)[:, None]

    width, height = (max(4.0, 0.36 * len(names) + 1.5) for names in (columns, drawn))
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (i, j), share in np.ndenumerate(shares):
        if share > 0.005:  # smaller shares would be printed as 0
            colour = "white" if share > 0.5 else "black"
            axes.text(j, i, f"{100 * share:.0f}", ha="center", va="center", fontsize=7, color=colour)
    axes.set_xticks(range(len(columns)), columns, rotation=90)
    axes.set_yticks(range(len(drawn)), drawn)
    axes.set(xlabel="predicted", ylabel="true")
    axes.set_title("% of true label" + (f", {len(drawn)} of {len(labels)} labels" if len(drawn) < len(labels) else ""))
    return figure


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
