"""Baseline rows: what a simple method reaches on the same data, fitted once and kept."""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from seqtasks import results, runs, train
from seqtasks.config import Config, EncoderConfig, TrainConfig
from seqtasks.data.splits import Splits
from seqtasks.progress import Reporter
from seqtasks.task import Baseline, Task
from seqtasks.train import facts_of_row, load, utc


def run_baselines(config: Config, task_class: type[Task], runs_dir: Path, reporter: Reporter) -> list[results.Row]:
    """Fits the task's baselines for the data and options of `config`, unless they are there.

    Args:
        config: resolved; its encoder, training settings and seed do not matter: one
            baseline serves them all.
        task_class: of `config.task`.
        runs_dir: the folder of all runs.
        reporter: where progress goes.

    Raises:
        SeqtasksError: missing data, or a folder that cannot be written.
    """
    options = dataclasses.replace(config.options, **_model_only(config.options))
    task = task_class(options)
    splits = load(task, config, reporter)
    rows = []
    for name, fit in task.baselines(splits).items():
        slug = re.sub("[^a-z0-9]+", "_", name.lower()).strip("_")
        own = Config(config.task, 0, config.data, EncoderConfig(cell=slug), TrainConfig(), options)
        path = runs.path_of(runs_dir, own, train.identity(task, own, splits))
        folder = runs.create(path, own, train.facts(task, splits), task_class.file)
        with folder.lock():
            if results.finished(folder.path) is None:
                reporter.say(f"{task.name}: fitting the baseline {name}, once for this data")
                results.write(_row(name, fit, task, splits, own, folder), folder.path)
            rows.append(results.read(folder.path))
    return rows


def _row(
    name: str, fit: Callable[[], Baseline], task: Task, splits: Splits, config: Config, folder: runs.Run
) -> results.Row:
    begin = time.time()
    found = fit()
    seconds = time.time() - begin
    facts = facts_of_row(task, splits, config, folder)
    for option in _model_only(config.options):
        del facts["config"]["options"][option]
    return results.Row(
        **facts,
        kind="baseline",
        value=found.scores[task.row_metric],
        scores=found.scores,
        validation={},
        cell=name,
        engine=found.by,
        encoder_params=0,
        params=found.params,
        epochs=1,
        seconds=seconds,
        seconds_per_epoch=seconds,
        examples_per_second=None,
        started=utc(begin),
        finished=utc(time.time()),
    )


def _model_only(options: Any) -> dict[str, Any]:
    """The options that do not concern a baseline, with their defaults."""
    fields = [field for field in dataclasses.fields(options) if field.metadata.get("model_only")]
    return {field.name: getattr(type(options)(), field.name) for field in fields}
