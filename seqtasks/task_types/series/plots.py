"""Plots of series with the model's answer and saliency, and of predicted against true numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from seqtasks.core.arrays import FloatArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FOR, AGAINST = "#55cc55", "#ff6655"
MOST_CHANNELS = 6  # lines of a panel; more could not be told apart


def example_series(
    series: Sequence[FloatArray],
    titles: Sequence[str],
    right: Sequence[bool | None],
    saliency: Sequence[FloatArray] | None = None,
    channels: Sequence[str] = (),
) -> Figure:
    """Series in panels, a line for each channel; shaded where the steps speak for the answer (green) or against (red).

    Args:
        series: Scaled values, (time, channels) each.
        titles: Text above each panel.
        right: Whether the answer is right: the title is green or red; None: black.
        saliency: Weights (time, channels) of each series; None: nothing is shaded.
        channels: Names of the channels, for the legend.
    """
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.figure import Figure

    shades = LinearSegmentedColormap.from_list("for and against", [AGAINST, "white", FOR])
    columns = min(3, len(series))
    rows = -(-len(series) // columns)
    figure = Figure(figsize=(4.4 * columns, 2.2 * rows + 0.4), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel in panels[len(series) :]:
        panel.set_axis_off()
    lines = []
    for number, (panel, values, title, correct) in enumerate(zip(panels, series, titles, right, strict=False)):
        lines = panel.plot(values[:, :MOST_CHANNELS], linewidth=1)
        panel.set_title(title, fontsize=9, color="black" if correct is None else "green" if correct else "red")
        panel.tick_params(labelsize=7)
        if saliency is not None:
            weights = saliency[number].sum(axis=1)
            most = float(np.abs(weights).max()) or 1.0
            low, high = panel.get_ylim()
            panel.imshow(
                weights[None] / most, cmap=shades, vmin=-1, vmax=1, aspect="auto", zorder=-1,
                extent=(-0.5, len(weights) - 0.5, low, high),
            )  # fmt: skip
        if number % columns == 0:
            panel.set_ylabel("scaled value", fontsize=8)
        if number + columns >= len(series):
            panel.set_xlabel("step", fontsize=8)
    _legend(figure, lines, list(channels[:MOST_CHANNELS]), saliency is not None)
    return figure


def _legend(figure: Figure, lines: Sequence[Any], channels: Sequence[str], shaded: bool) -> None:
    """Names of the channels, and the meaning of the shades, below all panels."""
    from matplotlib.patches import Patch

    entries: list[tuple[Any, str]] = list(zip(lines, channels, strict=False)) if len(channels) > 1 else []
    if shaded:
        entries += [(Patch(color=FOR), "speaks for the answer"), (Patch(color=AGAINST), "speaks against it")]
    if entries:
        handles, names = zip(*entries, strict=True)
        figure.legend(handles, names, loc="outside lower center", ncols=min(len(entries), 8), fontsize=8)


def predicted_against_true(predicted: FloatArray, targets: FloatArray, title: str) -> Figure:
    """A point for each example: the true number, and the predicted one.

    Args:
        predicted: (examples,).
        targets: (examples,).
        title: Above the plot.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.6, 4.4), layout="constrained")
    axes = figure.subplots()
    low = float(min(predicted.min(), targets.min()))
    high = float(max(predicted.max(), targets.max()))
    axes.plot([low, high], [low, high], color="grey", linewidth=1)
    axes.scatter(targets, predicted, s=12, alpha=0.6)
    axes.set(xlabel="true", ylabel="predicted", title=title)
    axes.grid(alpha=0.3)
    return figure
