"""Plots and tables of predicted label sequences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from seqtasks.core.arrays import FloatArray
from seqtasks.decoding import ctc
from seqtasks.layers.speech import BLANK
from seqtasks.task_types.common import style
from seqtasks.task_types.common.plots import confusion

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame


def mistakes(true: Sequence[ctc.Labels], predicted: Sequence[ctc.Labels], classes: Sequence[str], name: str) -> Figure:
    """Draws the confusion matrix of aligned labels; "–" is a deletion or an insertion.

    Args:
        true: True label sequences, numbers from 1.
        predicted: Predicted label sequences, one for each true one.
        classes: Names of the labels.
        name: Name of the task, for the title.
    """
    pairs = [pair for a, b in zip(true, predicted, strict=True) for pair in ctc.aligned(a, b)]
    targets, aligned = np.array(pairs or np.zeros((0, 2)), np.int64).T
    title = f"{name}: {np.sum(targets != aligned):,} edits to {sum(map(len, true)):,} labels"
    return confusion(targets, aligned, ["–", *classes], title)


def by_length(true: Sequence[ctc.Labels], predicted: Sequence[ctc.Labels]) -> DataFrame:
    """Tabulates error rate and exact matches by the length of the true sequence."""
    import pandas as pd

    rows = []
    for length in sorted({len(row) for row in true}):
        pairs = [(a, b) for a, b in zip(true, predicted, strict=True) if len(a) == length]
        targets, outputs = (list(side) for side in zip(*pairs, strict=True))
        rows.append([length, len(pairs), ctc.error_rate(targets, outputs), ctc.exact(targets, outputs)])
    return pd.DataFrame(rows, columns=["labels", "strings", "error rate", "exact"]).set_index("labels")


def worst_strings(
    true: Sequence[ctc.Labels], predicted: Sequence[ctc.Labels], classes: Sequence[str], most: int = 200
) -> DataFrame:
    """Tabulates the sequences with the most edits, for each true label.

    Args:
        true: True label sequences, numbers from 1.
        predicted: Predicted label sequences, one for each true one.
        classes: Names of the labels.
        most: Maximum number of rows.
    """
    import pandas as pd

    edits = [ctc.edits(a, b) for a, b in zip(true, predicted, strict=True)]
    wrong = sorted((i for i, count in enumerate(edits) if count), key=lambda i: -edits[i] / max(1, len(true[i])))
    rows = [
        [i, edits[i], *(" ".join(classes[n - 1] for n in labels) for labels in (true[i], predicted[i]))]
        for i in wrong[:most]
    ]
    return pd.DataFrame(rows, columns=["example", "edits", "true", "predicted"]).set_index("example")


@style.styled
def posteriors(log_p: FloatArray, true: ctc.Labels, classes: Sequence[str], step: float) -> Figure:
    """Draws the probabilities of the labels and of the blank over time.

    Labels are drawn if they are true or exceed a probability of 0.2 at some step.

    Args:
        log_p: Log-probabilities of one string, `(steps, 1 + labels)`.
        true: True labels of the string, numbers from 1.
        classes: Names of the labels.
        step: Duration of a step in seconds.
    """
    figure = style.new_figure(8, 3)
    axes = figure.subplots()
    time, p = np.arange(len(log_p)) * step, np.exp(log_p)
    axes.plot(time, p[:, BLANK], color="0.8", linestyle="--", label="blank")
    for number in sorted({*true, *(p[:, 1:].max(axis=0) > 0.2).nonzero()[0] + 1}):
        axes.plot(time, p[:, number], label=classes[number - 1])
    axes.set(xlabel="time, s", ylabel="probability", title=" ".join(classes[n - 1] for n in true))
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure
