"""Using a trained run: scoring it again and predicting with it."""

from __future__ import annotations

import typing
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np

from seqtasks import config as configuration
from seqtasks import plugins, results, runs
from seqtasks.config import Config
from seqtasks.data.splits import Splits
from seqtasks.errors import ConfigError, RunError
from seqtasks.metrics import log_softmax
from seqtasks.progress import Reporter
from seqtasks.resolution import load
from seqtasks.settings import build, parse
from seqtasks.task import Task
from seqtasks.train import run


def task_of(folder: runs.Run) -> tuple[type[Task], Config]:
    """The task and the configuration that a run folder was made with.

    Raises:
        SeqtasksError: they are not there any more, or are damaged.
    """
    cls = plugins.load_task_file(folder.plugin) if folder.plugin else plugins.load_task(str(folder.facts["task"]))
    config = configuration.from_dict(folder.config_values(), cls.Options)
    if folder.cell_plugin:
        plugins.load_cell_file(folder.cell_plugin, config.encoder.cell)
    return cls, config


def resume(folder: runs.Run, reporter: Reporter) -> tuple[results.Row, bool]:
    """Continues a run from its last checkpoint; see `train.run`.

    Raises:
        RunError: the data changed, or the folder was renamed.
    """
    cls, config = task_of(folder)
    return run(config, cls, folder.path.parent, reporter, only=folder)


def open_trained(folder: runs.Run) -> tuple[Task, Config, keras.Model]:
    """The task, configuration and model of a finished run.

    Raises:
        RunError: it is not finished, or its model cannot be loaded.
    """
    if not folder.finished:
        raise RunError(f"{folder.path} is not finished ({folder.status()}); continue it: seqtasks resume {folder.path}")
    cls, config = task_of(folder)
    path = folder.path / "model.keras"
    if not path.is_file():
        raise RunError(f"{folder.path} holds no model.keras (a baseline, or removed); train with seqtasks run")
    keras.config.set_dtype_policy(config.train.precision)
    try:
        model = keras.models.load_model(path)
    except (OSError, ValueError, TypeError) as error:
        raise RunError(f"cannot load {path}: {str(error).splitlines()[0]}; train again with --force") from error
    return cls(config.options, folder.facts["spec"]), config, model


def evaluate(folder: runs.Run, reporter: Reporter) -> list[dict[str, Any]]:
    """Scores a trained model on its test split again, beside what its row says.

    Raises:
        RunError: the data is not what the run was made with.
    """
    task, config, model = open_trained(folder)
    row, splits = results.read(folder.path), _data(folder, task, config, reporter)
    scores = task.score(model, task.batches(splits.test, config.train.eval_batch_size))
    return [{"score": name, "now": value, "in result.json": row.scores.get(name)} for name, value in scores.items()]


def ensemble(folders: Sequence[runs.Run], reporter: Reporter) -> list[dict[str, Any]]:
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
        task, config, model = open_trained(folder)
        if type(task).score is not Task.score:  # which is `judge` on `logits`
            raise ConfigError(f"task {task.name} has no probabilities of classes to average; give one run of it")
        splits = _data(folder, task, config, reporter)
        facts = (task.name, splits.source, splits.fingerprint, config.data.limit, task.spec.get("classes"))
        first = first or (facts, folder.path)
        if facts != first[0]:
            raise RunError(f"{folder.path} and {first[1]} are of different tasks or data; give runs of one")
        logits = task.logits(model, task.batches(splits.test, config.train.eval_batch_size))
        total = total + np.exp(log_softmax(logits))
        rows.append({"run": folder.path.name, "seed": config.seed, **task.judge(logits, splits.test.targets)})
    whole = task.judge(np.log(total / len(folders) + 1e-300), splits.test.targets)
    return [*rows, {"run": f"ensemble of {len(folders)}", "seed": "", **whole}]


def _data(folder: runs.Run, task: Task, config: Config, reporter: Reporter) -> Splits:
    splits, row = load(task, config, reporter), results.read(folder.path)
    if (splits.source, splits.fingerprint) != (row.source, row.fingerprint):
        raise RunError(
            f"the data is {splits.source} ({splits.fingerprint}), but {folder.path} was made with {row.source} "
            f"({row.fingerprint}); restore that data or train again"
        )
    return splits


def predict(folder: runs.Run, words: Sequence[str]) -> list[dict[str, Any]] | Iterator[str]:
    """Answers for inputs and `--option value` words from the command line: rows, or text as it is generated.

    Raises:
        ConfigError: an unknown option, or inputs the task cannot read.
    """
    task, _, model = open_trained(folder)
    inputs, given = split_options(words)
    hints = typing.get_type_hints(task.PredictOptions)
    # Text stays text: a prompt may look like anything.
    values = {k: v if hints.get(k) is str else parse(v) for k, v in given.items()}
    options: Any = build(task.PredictOptions, values, "--", {f"--{k}": v for k, v in given.items()})
    return task.predict(model, inputs, options)


def split_options(words: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Inputs, and the values of `--name value` or `--name=value`.

    Raises:
        ConfigError: an option without a value.
    """
    inputs: list[str] = []
    options: dict[str, str] = {}
    rest = iter(words)
    for word in rest:
        if not word.startswith("--") or word == "--":
            inputs.append(word)
            continue
        name, sign, value = word[2:].partition("=")
        if not sign:
            following = next(rest, None)
            if following is None:
                raise ConfigError(f"option --{name} has no value; write --{name} VALUE")
            value = following
        options[name.replace("-", "_")] = value
    return inputs, options
