"""Loads task, configuration and model of a finished run."""

from __future__ import annotations

import zipfile

import keras

from seqtasks.core import config as configuration
from seqtasks.core import plugins
from seqtasks.core.config import Config
from seqtasks.core.errors import ConfigError, DataError, RunError
from seqtasks.experiments import run_folder
from seqtasks.experiments.repair import REPAIR
from seqtasks.layers import registration  # noqa: F401 - registers what a model's file may hold
from seqtasks.task_types.base import Task


def task_of(folder: run_folder.Run, trust: bool = False) -> tuple[type[Task], Config]:
    """Loads task class and configuration of a run.

    Args:
        folder: The run.
        trust: Import the files of task and cell that are stored in the folder, which runs their code.

    Raises:
        SeqtasksError: Task or configuration are missing or damaged, or need `trust`.
    """
    copies = folder.copies
    if copies and not trust:
        files = " and ".join(map(str, copies))
        raise RunError(
            f"{folder.path} has its own code, and using it would run the Python code of {files}; read it, and if you "
            "trust it, add --trust (in Python: load_run(path, trust=True))"
        )
    # `tasks.get` accepts only names; `load_task` would also execute a file.
    cls = plugins.tasks.get(folder.task) if folder.plugin is None else plugins.load_task_file(folder.plugin)
    try:
        config = configuration.from_dict(folder.config_values(), cls.Options)
    except ConfigError as error:
        reason = str(error).partition(";")[0]
        setting = reason.removeprefix("unknown setting ").split()[0]
        if setting.startswith("options."):
            change = f"{setting} no longer exists" if reason.startswith("unknown") else f"{reason}, no longer allowed"
            raise RunError(
                f"the settings of task {cls.name} have changed since {folder.path} was trained: {change}; restore the "
                f"former Options of the task, or train again: seqtasks run {folder.plugin or folder.task}"
            ) from error
        raise RunError(f"{folder.path / 'config.yaml'} cannot be used: {reason}; {REPAIR}") from error
    if folder.cell_plugin is not None:
        plugins.load_cell_file(folder.cell_plugin, config.encoder.cell)
    return cls, config


def open_trained(folder: run_folder.Run, trust: bool = False) -> tuple[Task, Config, keras.Model]:
    """Loads task, configuration and model of a finished run.

    Args:
        folder: The run.
        trust: See `task_of`.

    Returns:
        The task with its options and spec, the configuration, and the Keras model.

    Raises:
        RunError: The run is not finished, or its model cannot be loaded.
    """
    if not folder.finished:
        raise RunError(
            f"{folder.path} is not finished ({folder.status()}); allowed: a finished run; continue it: "
            f"{folder.command('resume')}"
        )
    cls, config = task_of(folder, trust)
    values = folder.facts.get("spec")
    if not isinstance(values, dict):
        raise RunError(
            f"{folder.path / 'run.json'} has no facts about the data; write the file again: {folder.command()}"
        )
    try:
        spec = cls.stored_spec(values)
    except DataError as error:
        reason = str(error).rpartition(";")[0]
        raise RunError(f"{folder.path / 'run.json'}: {reason}; train it again: {folder.command()} --force") from error
    path = folder.path / "model.keras"
    if folder.is_trial:
        raise RunError(
            f"{folder.path} is a trial of a search, which keeps no model; allowed: other runs; train its settings: "
            f"seqtasks run {folder.plugin or folder.task} --config {folder.path / 'config.yaml'}"
        )
    if not path.is_file():
        raise RunError(
            f"{folder.path} has no model.keras (it is a baseline, or the file was removed); train it again: "
            f"{folder.command()} --force"
        )
    keras.config.set_dtype_policy(config.train.precision)
    if not zipfile.is_zipfile(path):
        raise RunError(
            f"cannot load {path}: it is not a complete file of Keras; train it again: {folder.command()} --force"
        )
    try:
        model = keras.models.load_model(path)
    # Keras, HDF5 and zipfile raise errors of many types for a damaged file.
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise RunError(f"cannot load {path}: {reason}; train it again: {folder.command()} --force") from error
    return cls(config.options, spec), config, model
