"""Figures and tables of the run folder."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from seqtasks.core.arrays import FloatArray, IntArray, PixelArray
from seqtasks.core.files import write_atomic, write_output
from seqtasks.task_types.common import style
from seqtasks.task_types.common.fonts import plain_text
from seqtasks.task_types.common.worst_errors import worst_of_classes

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

MOST_LABELS = 30  # rows of a confusion matrix; more could not be read


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


@style.styled
def learning_curves(
    history: Sequence[dict[str, float]],
    metric: str,
    best: int | None = None,
    baseline: tuple[str, float] | None = None,
) -> Figure:
    """Draws loss and metric of training and validation over the epochs.

    Args:
        history: Values of each epoch by name.
        metric: Name of the metric; it is left out if the history does not have it.
        best: Epoch whose weights were kept; None: not marked.
        baseline: Name of a baseline and its test score in the metric; None: no line.
    """
    names = [name for name in ("loss", metric) if name in history[0] or f"val_{name}" in history[0]]
    figure = style.new_figure(4.6 * len(names), 3.4)
    epochs = [row["epoch"] for row in history]
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        for key, label in ((name, "training"), (f"val_{name}", "validation")):
            if key in history[0]:
                axes.plot(epochs, [row[key] for row in history], marker=".", label=label)
        if best is not None:
            axes.axvline(best, color="0.6", linestyle=":", linewidth=1.2, label=f"best epoch, {best}")
        if baseline is not None and name == metric:
            style.baseline(axes, *baseline)
        axes.set(xlabel="epoch", ylabel=name)
        style.whole_numbers(axes.xaxis)
        axes.grid(visible=True)
        axes.legend()
    return figure


def class_pictures(
    name: str,
    logits: FloatArray,
    targets: IntArray,
    classes: Sequence[str],
    what: str,
    examples: Sequence[str] | None = None,
) -> Iterator[tuple[str, Figure | DataFrame]]:
    """Yields the confusion matrix, the report and the worst errors of a classifier, as `Task.plots` does.

    Args:
        name: Name of the task.
        logits: `(examples, classes)`.
        targets: Target class numbers, `(examples,)`.
        classes: Names of the classes.
        what: Plural noun for the examples in the title, such as `"test images"`.
        examples: Text that names or shows each example; None: its number in the test split.

    Yields:
        Pairs of file name without suffix, and figure or table.
    """
    predicted = logits.argmax(axis=-1)
    title = f"{name}: {100 * np.mean(predicted == targets):.2f} % of {len(targets):,} {what}"
    yield "confusion", confusion(targets, predicted, classes, title)
    yield "classes", class_report(*([classes[n] for n in numbers] for numbers in (targets, predicted)))
    if (predicted != targets).any():
        yield "worst_errors", worst_of_classes(logits, targets, classes, examples)


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


@style.styled
def confusion(
    targets: IntArray, predicted: IntArray, classes: Sequence[str], title: str, most: int = MOST_LABELS
) -> Figure:
    """Draws a confusion matrix of counts, shaded by the share of the target class.

    Labels that are neither targets nor predictions have no row; below the matrix stands which ones.

    Args:
        targets: Target class numbers, `(examples,)`.
        predicted: Predicted class numbers, `(examples,)`.
        classes: Names of the classes.
        title: Title of the figure.
        most: Maximum number of labels; the others, which are rarer in the targets, are summed as "other".
    """
    counts = np.zeros((len(classes), len(classes)), np.int64)
    np.add.at(counts, (targets, predicted), 1)
    occurs = (counts.sum(axis=0) + counts.sum(axis=1)) > 0
    absent = [label for label, one in zip(classes, occurs, strict=True) if not one]
    kept = np.flatnonzero(occurs)
    names = [str(classes[n]) for n in kept.tolist()]
    counts = counts[np.ix_(kept, kept)]
    if len(names) > most:
        frequent = np.sort(np.argsort(-counts.sum(axis=1), kind="stable")[:most])
        group = np.full(len(names), most)
        group[frequent] = np.arange(most)
        summed = np.zeros((most + 1, most + 1), np.int64)
        np.add.at(summed, (group[:, None], group[None]), counts)
        names, counts = [*(names[n] for n in frequent.tolist()), f"other ({len(names) - most})"], summed
    size = max(3.4, 0.42 * len(names) + 1.6)
    figure = style.new_figure(size, size)
    axes = figure.subplots()
    share = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    axes.imshow(share, cmap=style.SHARE, vmin=0, vmax=1)
    for (i, j), count in np.ndenumerate(counts):
        if count:
            text = f"{count:,}" if count < 100_000 else f"{count / 1000:,.0f}k"
            shade = "white" if share[i, j] > 0.5 else "black"
            axes.text(j, i, text, ha="center", va="center", fontsize=7 if len(text) < 5 else 6, color=shade)
    turned = 0.08 * max(map(len, names), default=0) > (size - 1.6) / max(1, len(names))  # inches
    axes.set_xticks(range(len(names)), names, rotation=90 if turned else 0)
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="predicted", ylabel="true", title=title)
    if absent:
        shown = ", ".join(map(str, absent[:4])) + (f" and {len(absent) - 4} more" if len(absent) > 4 else "")
        axes.set_xlabel(f"predicted\n(left out, as they never occur: {shown})")
    return figure


@style.styled
def attention_map(weights: FloatArray, source: Sequence[str], target: Sequence[str], title: str = "") -> Figure:
    """Draws the attention weights from target tokens to source tokens.

    Args:
        weights: `(target, source)`; each row sums to 1.
        source: Source tokens, the labels of the columns.
        target: Target tokens, the labels of the rows.
        title: Title of the figure.
    """
    figure = style.new_figure(max(3.6, 0.35 * len(source) + 2.2), max(2.2, 0.3 * len(target) + 1.5))
    axes = figure.subplots()
    image = axes.imshow(weights, cmap=style.SHARE, vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(len(source)), source, rotation=90)
    axes.set_yticks(range(len(target)), target)
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.set(xlabel="source", ylabel="output ↓")
    figure.colorbar(image, ax=axes, label="attention weight", shrink=0.9)
    if title:
        figure.suptitle(title)
    return figure


@style.styled
def attention_pictures(images: PixelArray, maps: Sequence[FloatArray], names: Sequence[Sequence[str]]) -> Figure:
    """Draws images with the attention map of each word of their captions, one row for each image.

    Args:
        images: `(images, height, width)` or `(images, height, width, channels)`, 0 to 255.
        maps: Attention weights over the locations of each image, `(words, rows, columns)`.
        names: Words of the caption of each image.
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    columns = max(map(len, names), default=0) + 1
    figure = style.new_figure(1.4 * columns + 0.6, 1.6 * len(images))
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
                axes.set_title(words[column - 1])
        row[0].set_title("image")
    scale = ScalarMappable(Normalize(0, 1), "Reds")
    figure.colorbar(scale, ax=grid, label="attention / largest of the word", shrink=0.8, aspect=30)
    return figure


@style.styled
def wrong_images(images: PixelArray, titles: Sequence[str], columns: int = 6) -> Figure:
    """Draws images with a title each, such as those that a classifier gets wrong.

    Args:
        images: `(images, height, width)` or `(images, height, width, channels)`, 0 to 255.
        titles: Title of each image.
        columns: Number of images in a row.
    """
    rows = -(-len(images) // columns)
    figure = style.new_figure(1.5 * columns, 1.75 * rows + 0.3)
    for axes, image, title in zip_longest(figure.subplots(rows, columns, squeeze=False).ravel(), images, titles):
        axes.axis("off")
        if image is not None:
            axes.imshow(image, cmap="gray", vmin=0, vmax=255)
            axes.set_title(title, color=style.WRONG, fontsize=8)
    return figure
