"""The plots of a finished run: learning curves, and those of its task."""

from __future__ import annotations

import contextlib
import logging
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras

from seqtasks.core.errors import RunError
from seqtasks.core.files import write_text
from seqtasks.experiments import results, run_folder
from seqtasks.experiments.history import best_epoch, read_history
from seqtasks.experiments.results import NONE
from seqtasks.task_types.base import Task
from seqtasks.task_types.common import style
from seqtasks.task_types.common.plots import learning_curves, save_figure

log = logging.getLogger(__name__)


def draw(
    task: Task,
    model: keras.Model,
    test: Any,
    history: list[dict[str, float]],
    best: int,
    row: results.Row,
    folder: run_folder.Run,
) -> None:
    """Writes the plots of a finished run, each with a line that names task, cell and seed.

    A plot that fails is logged, and its traceback is written to `plots/errors.txt`.

    Args:
        task: The task, after `score` was called.
        model: Trained.
        test: Batches of the test split.
        history: Logs of the epochs.
        best: Number of the epoch whose weights the model has, from 1.
        row: Result row of the run.
        folder: The run.
    """
    plots = folder.path / "plots"
    title = _title(row)

    def curves() -> Iterator[tuple[str, Any]]:
        yield "learning_curves", learning_curves(history, row.metric, best, _best_baseline(row, folder.path.parent))

    def of_task() -> Iterator[tuple[str, Any]]:
        yield from task.plots(model, test)

    for pictures in (curves(), of_task()):
        ended = False
        while not ended:
            name = ""
            try:
                name, picture = next(pictures, ("", None))
                ended = picture is None
                plots.mkdir(exist_ok=True)
                if picture is None:
                    continue
                if hasattr(picture, "savefig"):
                    style.add_title(picture, title)
                    save_figure(picture, plots / f"{name}.png")
                else:
                    write_text(plots / f"{name}.csv", picture.to_csv(float_format="%.4f"))
            except KeyboardInterrupt:
                raise
            except Exception as error:
                reason = " ".join(str(error).split()) or type(error).__name__
                log.warning(
                    "%s: cannot draw %s (%s); the result is stored; see details in %s",
                    *(folder.path, name or "a plot", reason, plots / "errors.txt"),
                )
                with contextlib.suppress(OSError), (plots / "errors.txt").open("a", encoding="utf-8") as file:
                    traceback.print_exc(file=file)


def redraw_curves(row: results.Row, runs_dir: Path) -> None:
    """Draws the learning curves of a run again, with the baseline that was fitted after it.

    Args:
        row: Result row of the run.
        runs_dir: Folder of the runs.
    """
    folder = runs_dir / row.run
    path, baseline = folder / "plots" / "learning_curves.png", _best_baseline(row, runs_dir)
    if baseline is None or not path.is_file():
        return
    with contextlib.suppress(RunError, OSError):  # the picture without the line stays
        epochs = read_history(folder)
        figure = learning_curves(epochs, row.metric, best_epoch(row, epochs), baseline)
        style.add_title(figure, _title(row))
        save_figure(figure, path)


def _title(row: results.Row) -> str:
    return " · ".join([row.task, *([] if row.cell == NONE else [row.cell]), f"seed {row.seed}"])


def _best_baseline(row: results.Row, runs_dir: Path) -> tuple[str, float] | None:
    baselines = results.baselines_of(row, runs_dir)
    if not baselines:
        return None
    best = (max if row.higher_is_better else min)(baselines, key=lambda one: one.value)
    return best.cell, best.value
