"""Tagging scores: accuracy, span precision, recall and F1, confusion."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from seqtasks.core.errors import DataError
from seqtasks.core.span_scheme import span_scheme, spans_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Rows = Sequence[Sequence[str]]  # of each sentence its labels or words, padding left out


def tagging_scores(
    true: Rows,
    predicted: Rows,
    words: Rows | None = None,
    known: Collection[str] | None = None,
    labels: Collection[str] | None = None,
) -> dict[str, float]:
    """Accuracy over all words, and over the words that training did not have.

    Spans (see `span_scheme`) also get `precision`, `recall` and `f1` over all spans; a span counts only if its
    begin, its end and its kind are right, as in the strict mode of https://github.com/chakki-works/seqeval. Labels
    that the scheme does not allow there, such as an I- after an O, make no span.

    Args:
        true: labels.
        predicted: labels, as many.
        words: what they label; needed for `unseen_accuracy`.
        known: the words of the training split.
        labels: of all data, which tell the scheme of spans; None: those found here, which may lack some.

    Returns:
        Fractions. `unseen_accuracy` only where there are such words.

    Raises:
        DataError: no labels, another number of them, or labels of spans beside others.
    """
    right = [a == b for a, b in zip(*_flat(true, predicted), strict=True)]
    scores = {"accuracy": float(np.mean(right))}
    if words is not None and known is not None:
        flat, _ = _flat(words, true)
        known = frozenset(known)
        unseen = [hit for hit, word in zip(right, flat, strict=True) if word not in known]
        if unseen:
            scores["unseen_accuracy"] = float(np.mean(unseen))
    scheme = span_scheme(chain(*true, *predicted) if labels is None else labels)
    if scheme is not None:
        pairs = [(spans_of(a, scheme), spans_of(b, scheme)) for a, b in zip(true, predicted, strict=True)]
        right_spans = sum(len(a & b) for a, b in pairs)
        precision = right_spans / max(1, sum(len(b) for _, b in pairs))
        recall = right_spans / max(1, sum(len(a) for a, _ in pairs))
        f1 = 2 * precision * recall / (precision + recall) if right_spans else 0.0
        scores |= {"precision": precision, "recall": recall, "f1": f1}
    return scores


def confusion_figure(true: Rows, predicted: Rows, labels: Sequence[str], most: int = 20) -> Figure:
    """What is predicted for each of the most frequent labels, in percent of its words.

    Args:
        true: labels.
        predicted: labels, as many.
        labels: those of interest; what else is predicted is gathered in a last column.
        most: how many of them are drawn at most.

    Raises:
        DataError: no labels, or another number of them.
    """
    from matplotlib.figure import Figure

    flat_true, flat_predicted = _flat(true, predicted)
    frequent, pairs = Counter(flat_true), Counter(zip(flat_true, flat_predicted, strict=True))
    drawn = sorted(labels, key=lambda label: -frequent[label])[:most]
    counts = np.array([[pairs[row, column] for column in drawn] for row in drawn])
    whole = np.array([frequent[row] for row in drawn])
    columns, other = list(drawn), whole - counts.sum(axis=1)
    if other.any():
        columns, counts = [*columns, "other"], np.column_stack([counts, other])
    share = counts / np.maximum(1, whole)[:, None]

    wide, high = (max(4.0, 0.36 * len(names) + 1.5) for names in (columns, drawn))
    figure = Figure(figsize=(wide, high), layout="constrained")
    axes = figure.subplots()
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for (i, j), part in np.ndenumerate(share):
        if part > 0.005:  # less would read 0
            colour = "white" if part > 0.5 else "black"
            axes.text(j, i, f"{100 * part:.0f}", ha="center", va="center", fontsize=7, color=colour)
    axes.set_xticks(range(len(columns)), columns, rotation=90)
    axes.set_yticks(range(len(drawn)), drawn)
    axes.set(xlabel="predicted", ylabel="true")
    axes.set_title("% of true label" + (f", {len(drawn)} of {len(labels)} labels" if len(drawn) < len(labels) else ""))
    return figure


def _flat(one: Rows, other: Rows) -> tuple[list[str], list[str]]:
    lengths, others = [len(row) for row in one], [len(row) for row in other]
    if lengths != others:
        raise DataError(
            f"received {sum(lengths)} and {sum(others)} labels in {len(one)} and {len(other)} sentences; "
            "allowed: as many in each; leave padding out of both"
        )
    if not sum(lengths):
        raise DataError("received no labels; allowed: one or more; give sentences with words")
    return list(chain(*one)), list(chain(*other))
