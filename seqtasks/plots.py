"""Pictures for the run folder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def learning_curves(history: Sequence[dict[str, float]], metric: str) -> Figure:
    """Loss and metric over epochs, training and validation.

    Args:
        history: one dictionary an epoch.
        metric: drawn beside the loss where it was recorded.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    names = [name for name in ("loss", metric) if name in history[0]]
    figure = Figure(figsize=(5 * len(names), 3.6), layout="constrained")
    epochs = [row["epoch"] for row in history]
    for axes, name in zip(np.atleast_1d(figure.subplots(1, len(names))), names, strict=True):
        for key, label in ((name, "training"), (f"val_{name}", "validation")):
            if key in history[0]:
                axes.plot(epochs, [row[key] for row in history], marker="o", markersize=3, label=label)
        axes.set(xlabel="epoch", ylabel=name)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.legend()
    return figure


def confusion(targets: np.ndarray, predicted: np.ndarray, classes: Sequence[str], title: str) -> Figure:
    """A confusion matrix, counts in the cells, shaded by the share of the true class.

    Args:
        targets: (examples,) true class numbers.
        predicted: (examples,) predicted ones.
        classes: names.
        title: above the picture.
    """
    from matplotlib.figure import Figure
    from sklearn.metrics import ConfusionMatrixDisplay, confusion_matrix

    counts = confusion_matrix(targets, predicted, labels=range(len(classes)))
    size = max(4.0, 0.55 * len(classes) + 1.5)
    figure = Figure(figsize=(size, size), layout="constrained")
    axes = figure.subplots()
    share = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    display = ConfusionMatrixDisplay(share, display_labels=classes)
    display.plot(ax=axes, cmap="Blues", colorbar=False, include_values=False)
    for (i, j), count in np.ndenumerate(counts):
        if count:
            axes.text(
                j,
                i,
                f"{count:,}",
                ha="center",
                va="center",
                fontsize=7,
                color="white" if share[i, j] > 0.5 else "black",
            )
    axes.set_title(title)
    return figure
