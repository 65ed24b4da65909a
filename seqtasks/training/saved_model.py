"""The task, configuration and model of a finished run."""

from __future__ import annotations

import zipfile

import keras

from seqtasks.core import config as configuration
from seqtasks.core import plugins
from seqtasks.core.config import Config
from seqtasks.core.errors import ConfigError, RunError
from seqtasks.experiments import run_folder
from seqtasks.experiments.repair import REPAIR
from seqtasks.task_types.base import Task


def task_of(folder: run_folder.Run, trust: bool = False) -> tuple[type[Task], Config]:
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
            "read it, and if you trust it, add --trust (in Python: load_run(path, trust=True))"
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


def open_trained(folder: run_folder.Run, trust: bool = False) -> tuple[Task, Config, keras.Model]:
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
