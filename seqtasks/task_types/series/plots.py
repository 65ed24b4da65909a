"""Plots of series with the model's answer and saliency, and of predicted against true numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from seqtasks.core.arrays import FloatArray
from seqtasks.task_types.common import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_CHANNELS = 6  # lines of a panel; more could not be told apart


@style.styled
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
        channels: Names of the channels, for a legend.
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LinearSegmentedColormap, Normalize

    shades = LinearSegmentedColormap.from_list("for and against", [style.AGAINST, "white", style.FOR])
    columns = min(3, len(series))
    rows = -(-len(series) // columns)
    figure = style.new_figure(4.4 * columns, 2.2 * rows + 0.9)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel in panels[len(series) :]:
        panel.set_axis_off()
    for number, (panel, values, title, correct) in enumerate(zip(panels, series, titles, right, strict=False)):
        panel.plot(values[:, :MOST_CHANNELS], linewidth=1)
        panel.set_title(title, color="black" if correct is None else style.RIGHT if correct else style.WRONG)
        panel.tick_params(labelsize=7)
        if saliency is not None:
            weights = saliency[number].sum(axis=1)
            most = float(np.abs(weights).max()) or 1.0
            low, high = panel.get_ylim()
            panel.imshow(
                weights[None] / most, cmap=shades, vmin=-1, vmax=1, aspect="auto", zorder=-1,
                extent=(-0.5, len(weights) - 0.5, low, high),
            )  # fmt: skip
    names = list(channels[:MOST_CHANNELS])
    if len(names) > 1:
        panels[0].legend(names, fontsize=7)
    if saliency is not None:
        bar = figure.colorbar(
            ScalarMappable(Normalize(-1, 1), shades),
            ax=list(panels),
            location="bottom",
            shrink=0.5,
            aspect=40,
            pad=0.02,
        )
        bar.set_ticks([-1, 0, 1], labels=["against the answer", "no influence", "for the answer"])
    for panel in panels[max(0, len(series) - columns) : len(series)]:
        panel.set_xlabel("step")
    return figure


@style.styled
def predicted_against_true(predicted: FloatArray, targets: FloatArray, title: str) -> Figure:
    """A point for each example: the true number, and the predicted one.

    Args:
        predicted: (examples,).
        targets: (examples,).
        title: Above the plot.
    """
    figure = style.new_figure(4.6, 4.4)
    axes = figure.subplots()
    low = float(min(predicted.min(), targets.min()))
    high = float(max(predicted.max(), targets.max()))
    axes.plot([low, high], [low, high], color="grey", linewidth=1, label="equal")
    axes.scatter(targets, predicted, s=12, alpha=0.6)
    axes.set(xlabel="true", ylabel="predicted", title=title)
    axes.grid(visible=True)
    axes.legend()
    return figure
