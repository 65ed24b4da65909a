"""Evaluation of and prediction with finished runs, and continuation of interrupted ones."""

from __future__ import annotations

import contextlib
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
from seqtasks.experiments import example_outputs, results, run_folder
from seqtasks.layers.metrics import log_softmax
from seqtasks.task_types.base import Task
from seqtasks.training.resolution import load
from seqtasks.training.saved_model import open_trained, task_of
from seqtasks.training.train import keep_outputs, run


def resume(folder: run_folder.Run, reporter: Reporter, trust: bool = False) -> tuple[results.Row, bool]:
    """Continues a run from its last checkpoint; see `train.run`.

    Args:
        folder: The run.
        reporter: Prints progress.
        trust: Run the Python code that is stored in the run folder.

    Returns:
        The result row, and whether the run was finished before.

    Raises:
        RunError: The data changed, or the folder was renamed.
    """
    if folder.is_trial:
        raise RunError(
            f"{folder.path} is a trial of a search; allowed: other runs; repeat the command seqtasks tune, which "
            "continues it"
        )
    cls, config = task_of(folder, trust)
    return run(config, cls, folder.path.parent, reporter, only=folder)


def evaluate(folder: run_folder.Run, reporter: Reporter, trust: bool = False) -> list[dict[str, Any]]:
    """Scores a trained model on its test split again.

    Outputs of the test split that the run folder lacks, such as that of an older version, are stored there.

    Args:
        folder: The finished run.
        reporter: Prints progress.
        trust: Run the Python code that is stored in the run folder.

    Returns:
        For each score its name, its value now, and its value in `result.json`.

    Raises:
        RunError: The data differs from that of the run.
    """
    task, config, model = open_trained(folder, trust)
    row, splits = results.read(folder.path), run_data(folder, task, config, reporter)
    scores = task.score(model, task.batches(splits.test, config.train.eval_batch_size))
    if not (folder.path / example_outputs.FILE).is_file():
        with contextlib.suppress(RunError):  # a folder that cannot be written
            keep_outputs(task, row.value, folder.path)
    return [{"score": name, "now": value, "in result.json": row.scores.get(name)} for name, value in scores.items()]


def ensemble(folders: Sequence[run_folder.Run], reporter: Reporter, trust: bool = False) -> list[dict[str, Any]]:
    """Scores several trained classifiers and the mean of their class probabilities.

    Args:
        folders: Finished runs of one task and data set.
        reporter: Prints progress.
        trust: Run the Python code that is stored in the run folders.

    Returns:
        A row for each run, and one for the ensemble.

    Raises:
        RunError: The runs are of different tasks or data.
        ConfigError: The task does not predict probabilities of classes.
    """
    rows, total = [], 0.0
    first: tuple[Any, ...] = ()
    for folder in folders:
        task, config, model = open_trained(folder, trust)
        # Only Task.score scores the logits of a classifier, and some tasks predict numbers where the data has numbers.
        if type(task).score is not Task.score or not task.spec.classes:
            raise ConfigError(
                f"{len(folders)} runs of task {task.name}, which predicts no class probabilities to average; allowed: "
                "one run of it; evaluate each run separately"
            )
        splits = run_data(folder, task, config, reporter)
        facts = (task.name, splits.source, splits.fingerprint, config.data.limit, task.spec.classes)
        first = first or (facts, folder.path)
        if facts != first[0]:
            raise RunError(
                f"{folder.path} and {first[1]} are of different tasks or data; allowed: runs of one task and data set; "
                "evaluate them separately"
            )
        logits = task.predict_logits(model, task.batches(splits.test, config.train.eval_batch_size))
        total = total + np.exp(log_softmax(logits))
        rows.append(
            {"run": folder.path.name, "seed": config.seed, **task.scores_from_logits(logits, splits.test.targets)}
        )
    whole = task.scores_from_logits(np.log(total / len(folders) + 1e-300), splits.test.targets)
    return [*rows, {"run": f"ensemble of {len(folders)}", "seed": "", **whole}]


def run_data(folder: run_folder.Run, task: Task, config: Config, reporter: Reporter) -> Splits:
    """Loads the data of a run.

    Args:
        folder: The finished run.
        task: Its task.
        config: Its configuration.
        reporter: Prints progress.

    Raises:
        RunError: The data differs from that of the run.
    """
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
    """Predicts with a finished run.

    Args:
        folder: The run.
        inputs: Texts or paths of files, whichever the task reads.
        options: Fields of the task's `PredictOptions`, as text or as values.
        trust: Run the Python code that is stored in the run folder.

    Returns:
        A dictionary for each prediction; for a language model, an iterator over pieces of the generated text.

    Raises:
        ConfigError: An unknown option, or inputs that the task cannot read.
    """
    cls, _ = task_of(folder, trust)
    chosen = options_of(cls, options or {})
    task, _, model = open_trained(folder, trust)
    return task.predict(model, inputs, chosen)


def options_of(task: type[Task], arguments: Mapping[str, Any]) -> Any:
    """Builds the `PredictOptions` of a task, and checks that output files can be written.

    Args:
        task: The task.
        arguments: Options by name, as text or as values.

    Raises:
        ConfigError: Unknown option, value that is not allowed, or file that cannot be written.
    """
    hints = typing.get_type_hints(task.PredictOptions)
    # An option of type str is not parsed: a prompt may look like a number or a list.
    values = {k: parse(v) if isinstance(v, str) and hints.get(k) is not str else v for k, v in arguments.items()}
    options: Any = build(task.PredictOptions, values, "--", {f"--{k}": str(v) for k, v in arguments.items()})
    for field in fields(task.PredictOptions):
        value = getattr(options, field.name)
        if value is not None and field.metadata.get("output"):
            check_output(value, f"--{field.name.replace('_', '-')}", field.metadata["output"])
    return options
