"""Panel of tasks that read series: a table, its answer, a picture of both."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seqtasks.core.arrays import FloatArray
from seqtasks.core.errors import ConfigError
from seqtasks.deploy.inputs import write_file
from seqtasks.deploy.opened_run import Answer
from seqtasks.task_types.common import style
from seqtasks.task_types.common.fonts import plain_text
from seqtasks.views.playground import markup
from seqtasks.views.playground.opened import TURNS, OpenedRun
from seqtasks.views.playground.panels.panel import Panel

MOST_CHANNELS = 6  # maximum number of drawn channels
MOST_STEPS = 2000  # maximum number of drawn steps
NAMES = ("file", "id", "step", "time", "true")  # columns that are no answer


class SeriesPanel(Panel):
    """Panel of series, as a file or as text, with a picture of the first one."""

    LABEL = "Read the series"

    def inputs(self) -> list[Any]:
        import gradio as gr

        file = gr.File(label="Table of the series: CSV, TSV, or as in training", height=120)
        text = gr.Textbox(
            lines=3, max_lines=8, label="or its text, with a line of column names", elem_classes="input-text"
        )
        return [file, text, *self.option_components()]

    def answer(self, run: OpenedRun, value: Any, text: str = "", *options: Any) -> Any:
        yield from super().answer(run, (value, text), *options)

    def words(self, value: Any, folder: Path) -> list[str]:
        file, text = value  # a text is never taken for the name of a file, which would be one of the server
        if file:
            return [file]
        if not (text or "").strip():
            return []
        return [str(write_file(text, "table", folder, 0))]

    @property
    def missing(self) -> str:
        return "there is no series; allowed: one table; load a file, or paste its text"

    def present(self, run: OpenedRun, answer: Answer, inputs: Sequence[str]) -> str:
        pictures = [markup.picture(png, name) for name, png in answer.pictures.items()]
        shown = self.one(answer.rows[0]) if len(answer.rows) == 1 else markup.table(answer.rows)
        return markup.block(*pictures, shown)

    def draw(
        self, run: OpenedRun, answer: Answer, inputs: Sequence[str], options: Mapping[str, Any]
    ) -> dict[str, bytes]:
        read = getattr(self.task, "read", None)
        if run.pictures or read is None:
            return super().draw(run, answer, inputs, options)
        part = read(Path(inputs[0]))
        part = part[0] if isinstance(part, tuple) else part  # with the marks of anomalies
        try:
            series = part.series  # with the targets of the steps
        except AttributeError:
            series = part
        rows = [row for row in answer.rows if "step" in row and row.get("id") == answer.rows[0].get("id")]
        with TURNS.turn(drawing=True):
            return {"the first series and its answer": draw(series.values.row(0), list(series.channels), rows)}


@style.styled
def draw(values: FloatArray, channels: Sequence[str], rows: Sequence[dict[str, Any]]) -> bytes:
    """Draws a series, and under it the answers of its steps.

    Args:
        values: `(time, channels)`.
        channels: Names of the channels.
        rows: Answers of the steps; empty: the answer is one for the series.

    Returns:
        A PNG file.

    Raises:
        ConfigError: The series has no step.
    """
    if not len(values):
        raise ConfigError("the series has no step; allowed: one or more; give another table")
    values, rows = values[:MOST_STEPS], rows[:MOST_STEPS]
    figure = style.new_figure(5.2, 3.6 if rows else 2.1)  # a phone shows it at two thirds of the size
    axes = figure.subplots(2 if rows else 1, 1, sharex=True, squeeze=False)[:, 0]
    for c, name in enumerate(channels[:MOST_CHANNELS]):
        axes[0].plot(values[:, c], label=name)
    axes[0].set(ylabel="measured value")
    if rows:
        _draw_answers(axes, rows)
    for panel in axes:
        columns = min(MOST_CHANNELS, len(panel.get_legend_handles_labels()[1]))
        panel.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=max(1, columns))  # above the lines
    axes[-1].set(xlabel="step")
    style.whole_numbers(axes[-1].xaxis)
    file = io.BytesIO()
    with plain_text(figure):
        figure.savefig(file, format="png", dpi=120)
    return file.getvalue()


def _draw_answers(axes: Any, rows: Sequence[dict[str, Any]]) -> None:
    """Probabilities of classes, scores with flagged steps, or numbers of each step."""
    steps = [row["step"] for row in rows]
    columns = [name for name in rows[0] if name not in NAMES and not name.startswith("true ")]
    probabilities = [name for name in columns if name.startswith("P(")]
    for name in probabilities or [name for name in columns if name not in ("answer", "flag")]:
        numbers = np.array([np.nan if row[name] is None else row[name] for row in rows], np.float64)
        axes[1].plot(steps, numbers, label=name)
    flagged = [row["step"] for row in rows if row.get("flag")]
    for number, step in enumerate(flagged):
        for panel in axes:
            panel.axvspan(step - 0.5, step + 0.5, color=style.AGAINST, alpha=0.35, linewidth=0,
                          label="marked as unusual" if number == 0 and panel is axes[1] else None)  # fmt: skip
    axes[1].set(ylabel="probability" if probabilities else "answer")
