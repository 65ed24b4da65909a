"""Plots of forecasts: fan charts, and the error of each step ahead."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from seqtasks.core.arrays import FloatArray
from seqtasks.task_types.common import style
from seqtasks.task_types.forecasting.scores import Forecasts

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame


@style.styled
def fans(
    history: Sequence[FloatArray],
    forecasts: Sequence[Forecasts],
    titles: Sequence[str],
    channels: Sequence[str],
    targets: Sequence[FloatArray] = (),
) -> Figure:
    """Fan charts in panels: the last values of a series, the median, and intervals from dark (narrow) to light (wide).

    Args:
        history: Values before each forecast, `(time,)`.
        forecasts: Quantiles `(horizon, levels)` each.
        titles: Text above each panel.
        channels: Name of the values of each panel.
        targets: What came, `(horizon,)` each; empty: it is not known.
    """
    columns = min(2, len(history))
    rows = -(-len(history) // columns)
    figure = style.new_figure(5.4 * columns, 2.6 * rows + 0.5)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel in panels[len(history) :]:
        panel.set_axis_off()
    for i, (past, forecast) in enumerate(zip(history, forecasts, strict=True)):
        panel = panels[i]
        before, after = np.arange(-len(past) + 1, 1), np.arange(1, len(forecast.point) + 1)
        panel.plot(before, past, color="black", linewidth=1)
        pairs = [level for level in forecast.levels if level in (0.1, 0.2, 0.3, 0.4)]
        for level in pairs:
            low, high = forecast.at(level), forecast.at(round(1 - level, 3))
            panel.fill_between(after, low, high, color=style.COLOURS[0], alpha=0.6 / len(pairs), linewidth=0)
        panel.plot(after, forecast.point, color=style.COLOURS[0], linewidth=1.5, label="median, intervals up to 80 %")
        if len(targets):
            panel.plot(after, targets[i], color=style.COLOURS[1], linewidth=1, label="true")
        panel.set_title(titles[i])
        panel.tick_params(labelsize=7)
        panel.set(xlabel="step, 0 is the last one that is known", ylabel=channels[i])
    panels[0].legend(fontsize=7)
    return figure


@style.styled
def error_by_step(forecasts: Forecasts, targets: FloatArray, scale: FloatArray) -> Figure:
    """The scaled absolute error, and the coverage of the interval of 80 %, of each step ahead.

    Args:
        forecasts: Of `(examples, horizon, channels)`.
        targets: `(examples, horizon, channels)`, NaN where missing.
        scale: `(examples, channels)`.
    """
    valid = ~np.isnan(targets)
    count = np.maximum(valid.sum(axis=(0, 2)), 1)
    errors = np.where(valid, np.abs(targets - forecasts.point) / scale[:, None], 0).sum(axis=(0, 2)) / count
    inside = (forecasts.at(0.1) <= targets) & (targets <= forecasts.at(0.9))
    covered = inside.sum(axis=(0, 2)) / count
    steps = np.arange(1, len(errors) + 1)
    figure = style.new_figure(7, 3)
    left, right = figure.subplots(1, 2)
    left.bar(steps, errors, color=style.COLOURS[0])
    left.set(xlabel="steps ahead", ylabel="absolute error / scale of MASE")
    right.bar(steps, 100 * covered, color=style.COLOURS[0])
    right.axhline(80, color="black", linewidth=1)
    right.set(xlabel="steps ahead", ylabel="% inside the interval of 80 %", ylim=(0, 100))
    return figure


def worst_windows(terms: FloatArray, names: Sequence[str], most: int = 200) -> DataFrame:
    """Tabulates the forecasts with the largest scaled errors.

    Args:
        terms: Sum and number of the scaled errors of each forecast, `(examples, 2)`.
        names: Name of each forecast: series and origin.
        most: Maximum number of rows.
    """
    import pandas as pd

    mase = terms[:, 0] / np.maximum(terms[:, 1], 1)
    worst = np.argsort(-mase, kind="stable")[:most]
    rows = {"example": worst, "window": [names[i] for i in worst], "mase": mase[worst]}
    return pd.DataFrame(rows).set_index("example")
