"""Plots and tables of predicted label sequences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from seqtasks.core.arrays import FloatArray
from seqtasks.decoding import ctc
from seqtasks.layers.speech import BLANK
from seqtasks.task_types.common.plots import confusion

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame


def mistakes(true: Sequence[ctc.Labels], predicted: Sequence[ctc.Labels], classes: Sequence[str], name: str) -> Figure:
    """A confusion matrix of aligned labels; "–" stands for a label that is missing or too many.

    Args:
        true: label numbers from 1 of each row.
        predicted: the same, as they were predicted.
        classes: names of the labels.
        name: of the task.
    """
    pairs = [pair for a, b in zip(true, predicted, strict=True) for pair in ctc.aligned(a, b)]
    one, other = np.array(pairs or np.zeros((0, 2)), np.int64).T
    title = f"{name}: {np.sum(one != other):,} edits to {sum(map(len, true)):,} labels"
    return confusion(one, other, ["–", *classes], title)


def by_length(true: Sequence[ctc.Labels], predicted: Sequence[ctc.Labels]) -> DataFrame:
    """Error rate and exact matches of the sequences of each length."""
    import pandas as pd

    rows = []
    for length in sorted({len(row) for row in true}):
        chosen = [(a, b) for a, b in zip(true, predicted, strict=True) if len(a) == length]
        these, those = (list(side) for side in zip(*chosen, strict=True))
        rows.append([length, len(chosen), ctc.error_rate(these, those), ctc.exact(these, those)])
    return pd.DataFrame(rows, columns=["labels", "strings", "error rate", "exact"]).set_index("labels")


def posteriors(log_p: FloatArray, true: ctc.Labels, classes: Sequence[str], step: float) -> Figure:
    """The probabilities of labels over time: peaks, with blanks between.

    Args:
        log_p: (steps, 1 + labels) log-probabilities.
        true: label numbers of the row.
        classes: names of the labels.
        step: seconds.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3), layout="constrained")
    axes = figure.subplots()
    time, p = np.arange(len(log_p)) * step, np.exp(log_p)
    axes.plot(time, p[:, BLANK], color="0.8", linestyle="--", label="blank")
    for number in sorted({*true, *(p[:, 1:].max(axis=0) > 0.2).nonzero()[0] + 1}):
        axes.plot(time, p[:, number], label=classes[number - 1])
    axes.set(xlabel="time, s", ylabel="probability", title=" ".join(classes[n - 1] for n in true))
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=8)
    return figure
