"""Pretraining: finds or trains the run whose weights another run starts from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from seqtasks.core import plugins
from seqtasks.core.config import Config
from seqtasks.core.errors import Interrupted, RunError
from seqtasks.core.reporter import Reporter
from seqtasks.experiments import run_folder
from seqtasks.experiments.results import Row
from seqtasks.task_types.base import Pretrained, Task
from seqtasks.training.saved_model import open_trained

Train = Callable[[Config, type[Task], Path, Reporter], tuple[Row, bool]]


def find_or_train(
    task: Task, config: Config, folder: run_folder.Run, reporter: Reporter, train: Train
) -> run_folder.Run | None:
    """Finds the run that a task's model starts from; trains it beside `folder` if needed.

    Args:
        task: The task with its options and spec.
        config: Configuration of the run that starts from it.
        folder: Folder of that run.
        reporter: Prints progress.
        train: Function that trains a run, `training.train.run`.

    Returns:
        The pretrained run; None if the task needs none.

    Raises:
        RunError: The named run is of another task, or not finished.
        Interrupted: Training was stopped.
    """
    if hasattr(task, "before"):  # the method of version 0.1, which trains the run itself
        run: run_folder.Run | None = task.before(config, folder, reporter)
        return run
    required = task.pretraining_config(config)
    if required is None:
        return None
    runs_dir = folder.path.parent
    if task.pretrained_run is not None:
        run = run_folder.find(task.pretrained_run, runs_dir)
        if run.facts["task"] != required.task or not run.finished:
            raise RunError(
                f"{run.path} is a run of {run.facts['task']} ({run.status()}); allowed: a finished run of "
                f"{required.task}; train one with: seqtasks run {required.task}"
            )
        return run
    reporter.say(f"pretraining: first a run of {required.task}; {config.task} starts from its weights")
    try:
        row, skipped = train(required, plugins.load_task(required.task), runs_dir, reporter)
    except Interrupted as error:
        folder.set_status("interrupted")
        raise Interrupted(
            f"stopped during pretraining, a run of {required.task}; continue with: {folder.command('resume')}"
        ) from error
    for note in row.notes if not skipped else ():
        reporter.say(f"pretraining: {note}")
    return run_folder.open_run(runs_dir / row.run)


def load(task: Task, folder: run_folder.Run | None) -> Any:
    """Loads a pretrained run for `Task.init_weights`.

    Args:
        task: The task whose model starts from the run.
        folder: The pretrained run; None if there is none.

    Returns:
        A `Pretrained`; None if there is no run; the folder for a task with the method `before` of version 0.1.
    """
    if folder is None or hasattr(task, "before"):
        return folder
    pretrained, _, model = open_trained(folder)
    return Pretrained(model, pretrained.spec, folder.path)
