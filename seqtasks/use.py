"""Using a trained run: scoring it again and predicting with it."""

from __future__ import annotations

import re
import typing
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Any

import keras
import numpy as np

from seqtasks import config as configuration
from seqtasks import plugins, results, runs
from seqtasks.config import Config
from seqtasks.data.splits import Splits
from seqtasks.errors import ConfigError, RunError
from seqtasks.files import check_output, shown
from seqtasks.metrics import log_softmax
from seqtasks.progress import Reporter
from seqtasks.repair import REPAIR
from seqtasks.resolution import load
from seqtasks.settings import build, parse
from seqtasks.task import Task
from seqtasks.train import run

_OPTION = re.compile(r"--[A-Za-z][\w-]*(=.*)?", re.DOTALL)


def task_of(folder: runs.Run, trust: bool = False) -> tuple[type[Task], Config]:
    """The task and the configuration that a run folder was made with.

    Args:
        folder: the run.
        trust: load the task's file that lies in the folder, which runs its code.

    Raises:
        SeqtasksError: they are not there any more, are damaged, or need `trust`.
    """
    copies = folder.copies
    if copies and not trust:
        files = " and ".join(map(str, copies))
        raise RunError(
            f"{folder.path} was made with code of its own, and using it would run the Python code of {files}; "
            "read it, and if you trust it, add --trust"
        )
    # A name only: a path would be a file to run.
    cls = plugins.tasks.get(folder.task) if folder.plugin is None else plugins.load_task_file(folder.plugin)
    try:
        config = configuration.from_dict(folder.config_values(), cls.Options)
    except ConfigError as error:
        reason = str(error).partition(";")[0]
        raise RunError(f"{folder.path / 'config.yaml'} cannot be used: {reason}; {REPAIR}") from error
    if folder.cell_plugin is not None:
        plugins.load_cell_file(folder.cell_plugin, config.encoder.cell)
    return cls, config


def resume(folder: runs.Run, reporter: Reporter, trust: bool = False) -> tuple[results.Row, bool]:
    """Continues a run from its last checkpoint; see `train.run`.

    Raises:
        RunError: the data changed, or the folder was renamed.
    """
    cls, config = task_of(folder, trust)
    return run(config, cls, folder.path.parent, reporter, only=folder)


def open_trained(folder: runs.Run, trust: bool = False) -> tuple[Task, Config, keras.Model]:
    """The task, configuration and model of a finished run.

    Args:
        folder: the run.
        trust: see `task_of`.

    Raises:
        RunError: it is not finished, or its model cannot be loaded.
    """
    if not folder.finished:
        raise RunError(f"{folder.path} is not finished ({folder.status()}); continue it: {folder.command('resume')}")
    cls, config = task_of(folder, trust)
    spec = folder.facts.get("spec")
    if not isinstance(spec, dict):
        raise RunError(f"{folder.path / 'run.json'} lacks the facts of the data; write it again: {folder.command()}")
    path = folder.path / "model.keras"
    if not path.is_file():
        raise RunError(
            f"{folder.path} holds no model.keras (a baseline, or removed); train it again: {folder.command()} --force"
        )
    keras.config.set_dtype_policy(config.train.precision)
    if not zipfile.is_zipfile(path):
        raise RunError(f"cannot load {path}: it is no whole file of Keras; train it again: {folder.command()} --force")
    try:
        model = keras.models.load_model(path)
    # A damaged file can raise almost anything out of Keras, HDF5 and the reader of ZIP files.
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise RunError(f"cannot load {path}: {reason}; train it again: {folder.command()} --force") from error
    return cls(config.options, spec), config, model


def evaluate(folder: runs.Run, reporter: Reporter, trust: bool = False) -> list[dict[str, Any]]:
    """Scores a trained model on its test split again, beside what its row says.

    Raises:
        RunError: the data is not what the run was made with.
    """
    task, config, model = open_trained(folder, trust)
    row, splits = results.read(folder.path), _data(folder, task, config, reporter)
    scores = task.score(model, task.batches(splits.test, config.train.eval_batch_size))
    return [{"score": name, "now": value, "in result.json": row.scores.get(name)} for name, value in scores.items()]


def ensemble(folders: Sequence[runs.Run], reporter: Reporter, trust: bool = False) -> list[dict[str, Any]]:
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
    splits, row = load(task, folder.same_data(config), reporter), results.read(folder.path)
    if (splits.source, splits.fingerprint) != (row.source, row.fingerprint):
        raise RunError(
            f"the data is {splits.source} ({splits.fingerprint}), but {folder.path} was made with {row.source} "
            f"({row.fingerprint}); restore that data or train again"
        )
    return splits


def predict(folder: runs.Run, words: Sequence[str], trust: bool = False) -> list[dict[str, Any]] | Iterator[str]:
    """Answers for inputs and `--option value` words: rows, or text as it is generated.

    Args:
        folder: of the run.
        words: as after `seqtasks predict RUN`, without the options of the command itself.
        trust: see `task_of`.

    Raises:
        ConfigError: an unknown option, or inputs the task cannot read.
    """
    cls, _ = task_of(folder, trust)
    inputs, given = split_options(words)
    options = options_of(cls, given)
    task, _, model = open_trained(folder, trust)
    return task.predict(model, inputs, options)


def split_options(words: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Inputs, and the values of `--name value` or `--name=value`.

    Raises:
        ConfigError: an option without a value, or a text that looks like an option.
    """
    inputs: list[str] = []
    options: dict[str, str] = {}
    rest = iter(words)
    for word in rest:
        if not word.startswith("--"):
            inputs.append(word)
            continue
        if not _OPTION.fullmatch(word):
            raise ConfigError(
                f"{shown(word)!r} is no option; write a text that begins with -- after a lone --: -- TEXT"
            )
        name, sign, value = word[2:].partition("=")
        if not sign:
            following = next(rest, None)
            if following is None:
                raise ConfigError(f"option --{name} has no value; write --{name} VALUE, or -- --{name} if it is a text")
            value = following
        options[name.replace("-", "_")] = value
    return inputs, options


def options_of(task: type[Task], given: dict[str, str]) -> Any:
    """The `PredictOptions` of a task from what was typed; the files that they name can be written.

    Raises:
        ConfigError: an unknown option, a value that is not allowed, or such a file.
    """
    hints = typing.get_type_hints(task.PredictOptions)
    # Text stays text: a prompt may look like anything.
    values = {k: v if hints.get(k) is str else parse(v) for k, v in given.items()}
    options: Any = build(task.PredictOptions, values, "--", {f"--{k}": v for k, v in given.items()})
    for field in fields(task.PredictOptions):
        value = getattr(options, field.name)
        if value is not None and field.metadata.get("output"):
            check_output(value, f"--{field.name.replace('_', '-')}", field.metadata["output"])
    return options
