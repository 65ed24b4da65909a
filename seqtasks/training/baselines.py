"""Baselines: fitted once for each data set and stored as result rows."""

from __future__ import annotations

import dataclasses
import math
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from seqtasks.core.config import Config, EncoderConfig, TrainConfig
from seqtasks.core.errors import RunError
from seqtasks.core.reporter import Reporter
from seqtasks.data.splits import Splits
from seqtasks.experiments import results, run_folder
from seqtasks.task_types.base import Baseline, Task
from seqtasks.training import train
from seqtasks.training.resolution import Plan, Resolved, load, resolve
from seqtasks.training.train import facts_of_row, utc

SECONDS = 10.0  # `seqtasks run` leaves out baselines that take longer; `baseline` and `compare` fit them, too
TRAIN = TrainConfig(epochs=10)  # a constant in the hash that names a baseline's folder, which has no epochs


def run_baselines(
    config: Config, task_class: type[Task], runs_dir: Path, reporter: Reporter, plan: Plan | None = None
) -> list[results.Row]:
    """Fits the task's baselines for data and options of `config`, unless already stored.

    Args:
        config: Configuration of a run; a baseline does not depend on its encoder, training settings and seed.
        task_class: Class of `config.task`.
        runs_dir: Folder of all runs.
        reporter: Prints progress.
        plan: Function that returns the configuration for a source and a size, see `resolution.resolve`.

    Returns:
        Rows of all baselines.

    Raises:
        SeqtasksError: Missing data, or a folder that cannot be written.
    """
    return _rows(resolve(config, task_class, reporter, plan), runs_dir, reporter, math.inf)


def quick_baselines(resolved: Resolved, runs_dir: Path, reporter: Reporter) -> list[results.Row]:
    """Fits the baselines that take only seconds, unless they are stored already.

    Baselines that another process is fitting are left out.

    Args:
        resolved: Resolved run with its data.
        runs_dir: Folder of all runs.
        reporter: Prints progress.

    Returns:
        Rows of these baselines and of all stored ones.
    """
    return _rows(resolved, runs_dir, reporter, SECONDS)


def _rows(resolved: Resolved, runs_dir: Path, reporter: Reporter, seconds: float) -> list[results.Row]:
    """Rows of the baselines that are stored already or take at most `seconds`."""
    config, task, splits = resolved.config, resolved.task, resolved.splits
    options = dataclasses.replace(config.options, **_not_of_data(config.options))
    if options != config.options:
        task = type(task)(options)
        splits = load(task, config, Reporter(quiet=True))
    needed = task.baseline_seconds(splits)
    rows = []
    for name, fit in task.baselines(splits).items():
        slug = re.sub("[^a-z0-9]+", "_", name.lower()).strip("_")
        baseline_config = Config(config.task, 0, config.data, EncoderConfig(cell=slug), TRAIN, options)
        path = run_folder.path_of(runs_dir, baseline_config, train.identity(task, baseline_config, splits))
        slow = needed.get(name, 0) > seconds
        if slow and not (path / results.FILE).is_file():
            reporter.say(
                f"{task.name}: the baseline {name} takes about {needed[name]:.0f} s and is left out; "
                f"`seqtasks baseline {task.name}` with the same settings fits it"
            )
            continue
        folder = run_folder.create(path, baseline_config, train.facts(task, splits), type(task).file)
        try:
            with folder.lock():
                row = results.finished(folder.path)
                if row is None and slow:  # the stored row is damaged
                    continue
                if row is None:
                    reporter.say(f"{task.name}: fitting the baseline {name} (once for each data set)")
                    results.write(_row(name, fit, task, splits, baseline_config, folder), folder.path)
                    row = results.read(folder.path)
                rows.append(row)
        except RunError:
            if seconds == math.inf:
                raise
    return rows


def _row(
    name: str, fit: Callable[[], Baseline], task: Task, splits: Splits, config: Config, folder: run_folder.Run
) -> results.Row:
    begin = time.time()
    baseline = fit()
    seconds = time.time() - begin
    facts = facts_of_row(task, splits, config, folder)
    for option in _not_of_data(config.options):
        del facts["config"]["options"][option]
    return results.Row(
        **facts,
        kind="baseline",
        value=baseline.scores[task.primary_metric],
        scores=baseline.scores,
        validation={},
        cell=name,
        engine=baseline.by,
        encoder_params=0,
        params=baseline.params,
        epochs=1,
        seconds=seconds,
        seconds_per_epoch=seconds,
        examples_per_second=None,
        started=utc(begin),
        finished=utc(time.time()),
    )


def _not_of_data(options: Any) -> dict[str, Any]:
    """The options that no baseline depends on, with their defaults."""
    fields = [field for field in dataclasses.fields(options) if not field.metadata.get("affects_data", True)]
    return {field.name: getattr(type(options)(), field.name) for field in fields}
