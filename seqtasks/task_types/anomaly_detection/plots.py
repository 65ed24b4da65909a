"""Plot of series, their anomaly scores, and marked stretches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from seqtasks.core.arrays import FloatArray
from seqtasks.data.series.marked import ANOMALY, NORMAL
from seqtasks.layers.calibration import NEVER
from seqtasks.task_types.anomaly_detection.scoring import runs

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MARKED = "#ff6655"
MOST_CHANNELS = 6  # lines of a panel; more could not be told apart


def score_figure(
    values: FloatArray,
    scores: FloatArray,
    marks: np.ndarray,
    threshold: float,
    channels: Sequence[str],
    title: str,
    first: int = 0,
) -> Figure:
    """The series above, its scores with the threshold below; marked stretches are red, scores not judged are left out.

    Args:
        values: (time, channels), in original units.
        scores: (time,).
        marks: (time,), see `Marked`.
        threshold: Above it a step is an anomaly.
        channels: Names of the channels.
        title: Above the plot.
        first: Number of the first step.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.6), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    steps = first + np.arange(len(values))
    lines = above.plot(steps, values[:, :MOST_CHANNELS], linewidth=0.8)
    entries: dict[str, Any] = dict(zip(channels, lines, strict=False)) if len(channels) > 1 else {}
    above.set_ylabel("value" if len(channels) > 1 else channels[0])
    below.plot(steps, np.where(marks >= NORMAL, scores, np.nan), linewidth=0.8, color="black")
    if threshold < NEVER:
        entries["threshold"] = below.axhline(threshold, color="grey", linestyle="--", linewidth=1)
    for begin, end in zip(*runs(np.asarray(marks == ANOMALY)), strict=True):
        for panel in (above, below):
            stretch = panel.axvspan(first + begin - 0.5, first + end - 0.5, color=MARKED, alpha=0.3, linewidth=0)
            entries["marked as an anomaly"] = stretch
    above.set_title(title, fontsize=10)
    below.set(xlabel="step", ylabel="score")
    for panel in (above, below):
        panel.tick_params(labelsize=8)
        panel.margins(x=0.01)
    if entries:
        figure.legend([*entries.values()], [*entries], loc="outside lower center", ncols=len(entries), fontsize=8)
    return figure
