"""The run that another run starts from: found by name, or trained first."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

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
    """The finished run that a task's model starts from; trained beside `folder` if it is not there.

    Args:
        task: The task, with its options and spec.
        config: Configuration of the run that needs it.
        folder: Folder of that run.
        reporter: Where progress is printed.
        train: Trains a run, `training.train.run`.

    Returns:
        The run, or None if the task declares none.

    Raises:
        RunError: The named run is of another task, or not finished.
        Interrupted: Training was stopped.
    """
    wanted = task.pretraining_config(config)
    if wanted is None:
        return None
    runs_dir = folder.path.parent
    if task.pretrained_run is not None:
        run = run_folder.find(task.pretrained_run, runs_dir)
        if run.facts["task"] != wanted.task or not run.finished:
            raise RunError(
                f"{run.path} is a run of {run.facts['task']} ({run.status()}); options.pretrain takes lm, or a "
                f"finished run of {wanted.task}: seqtasks run {wanted.task}"
            )
        return run
    reporter.say(f"first a language model of the same texts; then {config.task} goes on from it")
    try:
        row, _ = train(wanted, plugins.load_task(wanted.task), runs_dir, reporter)
    except Interrupted as error:
        folder.set_status("interrupted")
        raise Interrupted(f"stopped in its language model; continue with: {folder.command('resume')}") from error
    return run_folder.open_run(runs_dir / row.run)


def load(folder: run_folder.Run | None) -> Pretrained | None:
    """The model of a finished run, ready for `Task.init_weights`."""
    if folder is None:
        return None
    task, _, model = open_trained(folder)
    return Pretrained(model, task.spec, folder.path)
