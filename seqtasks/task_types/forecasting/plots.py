"""Plots of forecasts: fan charts, and the error of each step ahead."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from seqtasks.core.arrays import FloatArray
from seqtasks.task_types.forecasting.scores import Forecasts

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def fans(
    history: Sequence[FloatArray],
    forecasts: Sequence[Forecasts],
    titles: Sequence[str],
    targets: Sequence[FloatArray] = (),
) -> Figure:
    """Fan charts in panels: the last values of a series, the median, and intervals from dark (narrow) to light (wide).

    Args:
        history: Values before each forecast, `(time,)`.
        forecasts: Quantiles `(horizon, levels)` each.
        titles: Text above each panel.
        targets: What came, `(horizon,)` each; empty: it is not known.
    """
    from matplotlib.figure import Figure

    columns = min(2, len(history))
    rows = -(-len(history) // columns)
    figure = Figure(figsize=(5.4 * columns, 2.6 * rows + 0.4), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel in panels[len(history) :]:
        panel.set_axis_off()
    for i, (panel, past, forecast, title) in enumerate(zip(panels, history, forecasts, titles, strict=False)):
        before, after = np.arange(-len(past) + 1, 1), np.arange(1, len(forecast.point) + 1)
        panel.plot(before, past, color="black", linewidth=1, label="past")
        pairs = [level for level in forecast.levels if level in (0.1, 0.2, 0.3, 0.4)]
        for level in pairs:
            low, high = forecast.at(level), forecast.at(round(1 - level, 3))
            panel.fill_between(after, low, high, color="tab:blue", alpha=0.6 / len(pairs), linewidth=0)
        panel.plot(after, forecast.point, color="tab:blue", linewidth=1.5, label="median, intervals up to 80 %")
        if len(targets):
            panel.plot(after, targets[i], color="tab:red", linewidth=1, label="true")
        panel.set_title(title, fontsize=9)
        panel.tick_params(labelsize=7)
        if i + columns >= len(history):
            panel.set_xlabel("steps after the origin", fontsize=8)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=8)
    return figure


def error_by_step(forecasts: Forecasts, targets: FloatArray, scale: FloatArray) -> Figure:
    """The scaled absolute error, and the coverage of the interval of 80 %, of each step ahead.

    Args:
        forecasts: Of `(examples, horizon, channels)`.
        targets: `(examples, horizon, channels)`, NaN where missing.
        scale: `(examples, channels)`.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    valid = ~np.isnan(targets)
    count = np.maximum(valid.sum(axis=(0, 2)), 1)
    errors = np.where(valid, np.abs(targets - forecasts.point) / scale[:, None], 0).sum(axis=(0, 2)) / count
    inside = (forecasts.at(0.1) <= targets) & (targets <= forecasts.at(0.9))
    covered = inside.sum(axis=(0, 2)) / count
    steps = np.arange(1, len(errors) + 1)
    figure = Figure(figsize=(6, 2.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.bar(steps, errors, color="tab:blue")
    left.set(xlabel="steps ahead", ylabel="absolute error / scale of MASE", title="error")
    right.bar(steps, 100 * covered, color="tab:blue")
    right.axhline(80, color="black", linewidth=1)
    right.set(xlabel="steps ahead", ylabel="% of targets", ylim=(0, 100), title="inside the interval of 80 %")
    for panel in (left, right):
        panel.title.set_fontsize(10)
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure
