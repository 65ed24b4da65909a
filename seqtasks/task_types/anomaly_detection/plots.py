"""Plot of series, their anomaly scores, and marked stretches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from seqtasks.core.arrays import FloatArray
from seqtasks.data.series.marked import ANOMALY, NORMAL
from seqtasks.layers.calibration import NEVER
from seqtasks.task_types.anomaly_detection.scoring import runs
from seqtasks.task_types.common import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MARKED = style.AGAINST
MOST_CHANNELS = 6  # lines of a panel; more could not be told apart


@style.styled
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
    figure = style.new_figure(10, 4.6)
    above, below = figure.subplots(2, 1, sharex=True)
    steps = first + np.arange(len(values))
    above.plot(steps, values[:, :MOST_CHANNELS], linewidth=0.8)
    if len(channels) > 1:
        above.legend(list(channels[:MOST_CHANNELS]), fontsize=7, loc="upper right")
    below.plot(steps, np.where(marks >= NORMAL, scores, np.nan), linewidth=0.8, color="black")
    if threshold < NEVER:
        below.axhline(threshold, color="grey", linestyle="--", linewidth=1, label="threshold")
    for begin, end in zip(*runs(np.asarray(marks == ANOMALY)), strict=True):
        for panel in (above, below):
            panel.axvspan(first + begin - 0.5, first + end - 0.5, color=MARKED, alpha=0.3, linewidth=0)
    if (marks == ANOMALY).any():
        below.fill_between([], [], color=MARKED, alpha=0.3, linewidth=0, label="marked anomaly")
    if below.get_legend_handles_labels()[0]:
        below.legend(loc="upper right")
    above.set_title(title)
    below.set(xlabel="step", ylabel="score")
    above.set_ylabel("value")
    for panel in (above, below):
        panel.tick_params(labelsize=8)
        panel.margins(x=0.01)
    return figure
