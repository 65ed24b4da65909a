"""Figures and tables of the run folder."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from seqtasks.core.arrays import FloatArray, IntArray, PixelArray
from seqtasks.core.files import write_atomic, write_output
from seqtasks.task_types.common.fonts import plain_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame


def save_figure(figure: Figure, path: Path, format: str | None = None) -> None:
    """Writes a figure to a file atomically, with its texts drawn literally, see `fonts.plain_text`.

    Args:
        figure: Figure of matplotlib.
        path: Path of the file.
        format: Format such as "png"; None: the suffix of the path.

    Raises:
        OSError: The file cannot be written.
        ValueError: matplotlib does not have the format.
    """
    with plain_text(figure):
        write_atomic(path, functools.partial(figure.savefig, format=format, dpi=120))


def export_figure(figure: Figure, path: Path) -> None:
    """Writes a figure to a file that a user named, with its texts drawn literally.

    Args:
        figure: Figure of matplotlib.
        path: Path of the file. Its suffix is the format, also if it links to a file with another suffix.

    Raises:
        ConfigError: The file cannot be written.
    """
    with plain_text(figure):
        write_output(path, functools.partial(figure.savefig, format=path.suffix[1:], dpi=120))


def learning_curves(history: Sequence[dict[str, float]], metric: str) -> Figure:
    """Draws loss and metric of training and validation over the epochs.

    Args:
        history: Values of each epoch by name.
        metric: Name of the metric; it is left out if the history does not have it.
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


def class_pictures(
    name: str, logits: FloatArray, targets: IntArray, classes: Sequence[str], what: str
) -> Iterator[tuple[str, Figure | DataFrame]]:
    """Yields the confusion matrix and the report of a classifier, as `Task.plots` does.

    Args:
        name: Name of the task.
        logits: `(examples, classes)`.
        targets: Target class numbers, `(examples,)`.
        classes: Names of the classes.
        what: Plural noun for the examples in the title, such as `"test images"`.

    Yields:
        Pairs of file name without suffix, and figure or table.
    """
    predicted = logits.argmax(axis=-1)
    title = f"{name}: {100 * np.mean(predicted == targets):.2f} % of {len(targets):,} {what}"
    yield "confusion", confusion(targets, predicted, classes, title)
    yield "classes", class_report(*([classes[n] for n in numbers] for numbers in (targets, predicted)))


def class_report(true: Sequence[str], predicted: Sequence[str]) -> DataFrame:
    """Computes precision, recall, F1 and support (number of targets) of each label.

    Args:
        true: Target labels.
        predicted: Predicted labels, as many as targets.

    Returns:
        A table with one row for each label, the most frequent target first.

    Example:
        >>> class_report(["a", "a", "b"], ["a", "b", "b"])["recall"].tolist()
        [0.5, 1.0]
    """
    import pandas as pd
    from sklearn.metrics import precision_recall_fscore_support

    counts = Counter(true)
    labels = sorted({*true, *predicted}, key=lambda label: (-counts[label], label))
    columns = precision_recall_fscore_support(true, predicted, labels=labels, zero_division=0)
    names = ("precision", "recall", "f1", "support")
    return pd.DataFrame(dict(zip(names, columns, strict=True)), index=pd.Index(labels, name="label"))


def confusion(targets: IntArray, predicted: IntArray, classes: Sequence[str], title: str) -> Figure:
    """Draws a confusion matrix of counts, shaded by the share of the target class.

    Args:
        targets: Target class numbers, `(examples,)`.
        predicted: Predicted class numbers, `(examples,)`.
        classes: Names of the classes.
        title: Title of the figure.
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


def attention_map(weights: FloatArray, source: Sequence[str], target: Sequence[str]) -> Figure:
    """Draws the attention weights from target tokens to source tokens.

    Args:
        weights: `(target, source)`; each row sums to 1.
        source: Source tokens, the labels of the columns.
        target: Target tokens, the labels of the rows.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(0.35 * len(source) + 1.5, 0.3 * len(target) + 1.2), layout="constrained")
    axes = figure.subplots()
    axes.imshow(weights, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(len(source)), source, rotation=90)
    axes.set_yticks(range(len(target)), target)
    axes.xaxis.tick_top()
    return figure


def attention_pictures(images: PixelArray, maps: Sequence[FloatArray], names: Sequence[Sequence[str]]) -> Figure:
    """Draws images with the attention map of each word of their captions, one row for each image.

    Args:
        images: `(images, height, width)` or `(images, height, width, channels)`, 0 to 255.
        maps: Attention weights over the locations of each image, `(words, rows, columns)`.
        names: Words of the caption of each image.
    """
    from matplotlib.figure import Figure

    columns = max(map(len, names), default=0) + 1
    figure = Figure(figsize=(1.4 * columns, 1.6 * len(images)), layout="constrained")
    grid = figure.subplots(len(images), columns, squeeze=False)
    for row, image, weights, words in zip(grid, images, maps, names, strict=True):
        height, width = image.shape[:2]
        for column, axes in enumerate(row):
            axes.axis("off")
            if column <= len(words):
                axes.imshow(image, cmap="gray", vmin=0, vmax=255)
            if 0 < column <= len(words):
                scaled = weights[column - 1] / max(float(weights[column - 1].max()), 1e-9)
                axes.imshow(
                    scaled, cmap="Reds", alpha=0.6, vmin=0, vmax=1, extent=(-0.5, width - 0.5, height - 0.5, -0.5)
                )
                axes.set_title(words[column - 1], fontsize=9)
    return figure
