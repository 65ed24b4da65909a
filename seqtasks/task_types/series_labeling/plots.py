"""Plots of series with the true and the predicted targets of their steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from seqtasks.core.arrays import FloatArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

MOST = 6  # channels, labels or numbers of a panel; more could not be told apart
TRUE, RIGHT, WRONG, MISSED = "#737373", "#55cc55", "#ff6655", "#ffd9d1"


@dataclass(frozen=True)
class Shown:
    """A series to draw.

    Attributes:
        values: Scaled, (time, channels).
        true: Class numbers (time,), -1 where unknown; or (time, targets), NaN where unknown.
        predicted: In the same form.
        title: Above it.
    """

    values: FloatArray
    true: Any
    predicted: Any
    title: str


def example_steps(series: Sequence[Shown], channels: Sequence[str], names: Sequence[str], numbers: bool) -> Figure:
    """Series one below the other: above the channels, below the true and the predicted targets of each step.

    Args:
        series: One or more.
        channels: Names of the channels.
        names: Names of the classes, labels or numbers.
        numbers: Whether the targets are numbers, which are drawn as lines; classes and labels are bands.
    """
    from matplotlib.figure import Figure

    classes = series[0].true.ndim == 1
    bands = 2 if classes else 2 * min(MOST, len(names))
    low = 1.6 if numbers else 0.22 * bands + 0.25
    figure = Figure(figsize=(9, len(series) * (1.3 + low) + 0.8), layout="constrained")
    grid = figure.subplots(2 * len(series), 1, squeeze=False, height_ratios=[1.3, low] * len(series))[:, 0]
    for one, above, below in zip(series, grid[::2], grid[1::2], strict=True):
        above.plot(one.values[:, :MOST], linewidth=0.9)
        above.set_title(one.title, fontsize=9)
        above.set_ylabel("scaled", fontsize=7)
        above.set_xlim(-0.5, len(one.values) - 0.5)
        if numbers:
            for i, name in enumerate(names[:MOST]):
                below.plot(one.true[:, i], color=f"C{i}", linewidth=1.6, alpha=0.4, label=f"{name}, true")
                below.plot(one.predicted[:, i], color=f"C{i}", linewidth=0.9, label=f"{name}, predicted")
        elif classes:
            _class_bands(below, one, len(names))
        else:
            _label_bands(below, one, names)
        below.set_xlim(*above.get_xlim())
        for panel in (above, below):
            panel.tick_params(labelsize=7)
    grid[-1].set_xlabel("step", fontsize=8)
    if len(channels) > 1:
        grid[0].legend(list(channels[:MOST]), fontsize=7, loc="upper right")
    if numbers:
        grid[1].legend(fontsize=7, loc="upper right")
    elif classes:
        _legend(figure, {name: _colour(i) for i, name in enumerate(names[:20])})
    else:
        _legend(figure, {"holds": TRUE, "predicted, right": RIGHT, "predicted, wrong": WRONG, "missed": MISSED})
    return figure


def _class_bands(panel: Any, one: Shown, count: int) -> None:
    bands = np.stack([one.true, one.predicted]).astype(float)
    colours = np.array([_colour(i) for i in range(count)])
    image = np.where((bands >= 0)[..., None], colours[np.maximum(bands, 0).astype(int)], 1.0)
    panel.imshow(image, aspect="auto", interpolation="nearest", extent=(-0.5, bands.shape[1] - 0.5, 1.5, -0.5))
    panel.set_yticks([0, 1], ["true", "predicted"])


def _label_bands(panel: Any, one: Shown, names: Sequence[str]) -> None:
    """Two bands for each label: where it holds, and where it is predicted."""
    from matplotlib.colors import to_rgb

    shown = list(names[:MOST])
    image = np.ones((2 * len(shown), len(one.values), 3))
    for i in range(len(shown)):
        true, predicted, unknown = one.true[:, i] > 0.5, one.predicted[:, i] > 0.5, np.isnan(one.true[:, i])
        image[2 * i, true] = to_rgb(TRUE)
        below = image[2 * i + 1]
        below[predicted & true], below[predicted & ~true] = to_rgb(RIGHT), to_rgb(WRONG)
        below[predicted & unknown], below[~predicted & true] = to_rgb(TRUE), to_rgb(MISSED)
    panel.imshow(
        image, aspect="auto", interpolation="nearest", extent=(-0.5, len(one.values) - 0.5, len(image) - 0.5, -0.5)
    )
    panel.set_yticks(range(len(image)), [text for name in shown for text in (f"{name}, true", "predicted")])
    for i in range(1, len(shown)):
        panel.axhline(2 * i - 0.5, color="black", linewidth=0.5)


def _colour(number: int) -> Any:
    from matplotlib import colormaps

    return colormaps["tab10" if number < 10 else "tab20b"](number % 20)


def _legend(figure: Any, colours: dict[str, Any]) -> None:
    from matplotlib.patches import Patch

    patches = [Patch(facecolor=colour, edgecolor="grey", linewidth=0.4, label=name) for name, colour in colours.items()]
    figure.legend(handles=patches, loc="outside lower center", ncols=min(6, len(patches)), fontsize=7)


def label_bars(report: DataFrame, title: str) -> Figure:
    """Precision, recall and F1 of each label as bars.

    Args:
        report: Of `label_report`.
        title: Above the plot.
    """
    from matplotlib.figure import Figure

    names, scores = list(report.index), ["precision", "recall", "f1"]
    figure = Figure(figsize=(max(4.5, 1.0 * len(names) + 2), 3.6), layout="constrained")
    axes = figure.subplots()
    for k, score in enumerate(scores):
        axes.bar(np.arange(len(names)) + 0.27 * (k - 1), report[score], 0.25, label=score)
    axes.set_xticks(range(len(names)), names, rotation=0 if len(names) < 8 else 45)
    axes.set(ylim=(0, 1), ylabel="score", title=title)
    axes.grid(alpha=0.3, axis="y")
    figure.legend(loc="outside lower center", ncols=3, fontsize=8)
    return figure
