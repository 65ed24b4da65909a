"""Evaluation and prediction with trained runs."""

from __future__ import annotations

import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from seqtasks.core.config import Config
from seqtasks.core.errors import ConfigError, RunError
from seqtasks.core.files import check_output
from seqtasks.core.reporter import Reporter
from seqtasks.core.settings import build, parse
from seqtasks.data.splits import Splits
from seqtasks.experiments import results, run_folder
from seqtasks.layers.metrics import log_softmax
from seqtasks.task_types.base import Task
from seqtasks.training.resolution import load
from seqtasks.training.saved_model import open_trained, task_of
from seqtasks.training.train import run


def resume(folder: run_folder.Run, reporter: Reporter, trust: bool = False) -> tuple[results.Row, bool]:
    """Continues a run from its last checkpoint; see `train.run`.

    Raises:
        RunError: the data changed, or the folder was renamed.
    """
    cls, config = task_of(folder, trust)
    return run(config, cls, folder.path.parent, reporter, only=folder)


def evaluate(folder: run_folder.Run, reporter: Reporter, trust: bool = False) -> list[dict[str, Any]]:
    """Scores a trained model on its test split again, beside what its row says.

    Raises:
        RunError: the data is not what the run was made with.
    """
    task, config, model = open_trained(folder, trust)
    row, splits = results.read(folder.path), _data(folder, task, config, reporter)
    scores = task.score(model, task.batches(splits.test, config.train.eval_batch_size))
    return [{"score": name, "now": value, "in result.json": row.scores.get(name)} for name, value in scores.items()]


def ensemble(folders: Sequence[run_folder.Run], reporter: Reporter, trust: bool = False) -> list[dict[str, Any]]:
    """Scores several trained classifiers on their test split, and the mean of their probabilities.

    Returns:
        A row for each run, as its model scores now, and one for all of them.

    Raises:
        RunError: the runs are of different tasks or data.
        ConfigError: the task gives no probabilities of classes.
    """
    rows, total = [], 0.0
    first: tuple[Any, ...] = ()
    for folder in folders:
        task, config, model = open_trained(folder, trust)
        if type(task).score is not Task.score:  # which is `scores_from_logits` on `logits`
            raise ConfigError(f"task {task.name} has no probabilities of classes to average; give one run of it")
        splits = _data(folder, task, config, reporter)
        facts = (task.name, splits.source, splits.fingerprint, config.data.limit, task.spec.classes)
        first = first or (facts, folder.path)
        if facts != first[0]:
            raise RunError(f"{folder.path} and {first[1]} are of different tasks or data; give runs of one")
        logits = task.predict_logits(model, task.batches(splits.test, config.train.eval_batch_size))
        total = total + np.exp(log_softmax(logits))
        rows.append(
            {"run": folder.path.name, "seed": config.seed, **task.scores_from_logits(logits, splits.test.targets)}
        )
    whole = task.scores_from_logits(np.log(total / len(folders) + 1e-300), splits.test.targets)
    return [*rows, {"run": f"ensemble of {len(folders)}", "seed": "", **whole}]


def _data(folder: run_folder.Run, task: Task, config: Config, reporter: Reporter) -> Splits:
    splits, row = load(task, folder.same_data(config), reporter), results.read(folder.path)
    if (splits.source, splits.fingerprint) != (row.source, row.fingerprint):
        raise RunError(
            f"the data is {splits.source} ({splits.fingerprint}), but {folder.path} was made with {row.source} "
            f"({row.fingerprint}); restore that data or train again"
        )
    return splits


def predict(
    folder: run_folder.Run, inputs: Sequence[str], options: Mapping[str, Any] | None = None, trust: bool = False
) -> list[dict[str, Any]] | Iterator[str]:
    """Predictions for inputs.

    Args:
        folder: The run.
        inputs: Texts, or paths of files, as the task reads them.
        options: Fields of the task's `PredictOptions`, as text or as values.
        trust: See `task_of`.

    Returns:
        A row for each prediction; or an iterator of pieces of text, as they are generated.

    Raises:
        ConfigError: An unknown option, or inputs that the task cannot read.
    """
    cls, _ = task_of(folder, trust)
    chosen = options_of(cls, options or {})
    task, _, model = open_trained(folder, trust)
    return task.predict(model, inputs, chosen)


def options_of(task: type[Task], given: Mapping[str, Any]) -> Any:
    """The `PredictOptions` of a task from what was typed; the files that they name can be written.

    Raises:
        ConfigError: an unknown option, a value that is not allowed, or such a file.
    """
    hints = typing.get_type_hints(task.PredictOptions)
    # Text stays text: a prompt may look like anything.
    values = {k: parse(v) if isinstance(v, str) and hints.get(k) is not str else v for k, v in given.items()}
    options: Any = build(task.PredictOptions, values, "--", {f"--{k}": str(v) for k, v in given.items()})
    for field in fields(task.PredictOptions):
        value = getattr(options, field.name)
        if value is not None and field.metadata.get("output"):
            check_output(value, f"--{field.name.replace('_', '-')}", field.metadata["output"])
    return options
