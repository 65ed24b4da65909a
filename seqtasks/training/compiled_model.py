"""Builds and compiles the model of a run."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, Literal

import keras

from seqtasks.core import plugins
from seqtasks.core.config import Config
from seqtasks.core.errors import ConfigError
from seqtasks.core.reporter import Reporter
from seqtasks.engines import native
from seqtasks.engines.backend.process_group import ProcessGroup
from seqtasks.engines.backend.split_training import split
from seqtasks.experiments.run_folder import Run
from seqtasks.layers.encoder import Encoder
from seqtasks.layers.parameter_matching import match
from seqtasks.task_types.base import Task
from seqtasks.training import prerequisite, warm_start
from seqtasks.training.optimizers import make_optimizer


def build(task: Task, config: Config) -> tuple[keras.Model, Encoder]:
    """Builds the model with seeded initial weights; it is not compiled.

    Args:
        task: The task, with the `spec` of its data.
        config: The configuration.

    Returns:
        The model and its encoder.

    Raises:
        ConfigError: The engine cannot be compiled by XLA.
    """
    keras.config.set_dtype_policy(config.train.precision)
    settings = config.encoder
    compiled = config.train.jit and not native.under_xla()
    if compiled and settings.engine == "native":
        raise ConfigError(
            "encoder.engine is native, which XLA cannot compile (train.jit=true); allowed: auto, parallel, loop; set "
            "train.jit=false or encoder.engine=auto"
        )
    if compiled and settings.engine == "auto":  # XLA cannot compile the cuDNN kernels of the engine keras
        parallel = all(plugins.cells.get(cell).scan for cell in settings.cells)
        engine: Literal["loop", "parallel"] = "parallel" if parallel else "loop"
        settings = dataclasses.replace(settings, engine=engine)
    if settings.match is not None:
        probe = Encoder(settings)
        task.build_model(probe)
        if probe.features is not None:  # a task without recurrence does not build the encoder
            settings = match(settings, probe.features)
    keras.utils.set_random_seed(config.seed)
    rows = max(config.train.batch_size, config.train.eval_batch_size)
    encoder = Encoder(settings, stateful=task.stateful, max_batch=rows, name="encoder")
    return task.build_model(encoder), encoder


def compiled(
    task: Task,
    config: Config,
    batches_per_epoch: int,
    before: Run | None,
    reporter: Reporter,
    group: ProcessGroup | None = None,
    start: Run | None = None,
) -> tuple[keras.Model, Encoder]:
    """Builds and compiles the model with its initial weights; its optimizer is built.

    Args:
        task: The task, with the `spec` of its data.
        config: Resolved configuration.
        batches_per_epoch: Number of batches of an epoch, for the length of the schedule.
        before: Run to take initial weights from, see `Task.init_weights`; None: there is none.
        reporter: Prints what is ignored.
        group: Processes that train the model together, which receive the initial weights of the first.
        start: Run of `train.start`; None: there is none.

    Returns:
        The model and its encoder.
    """
    model, encoder = build(task, config)
    if group is None or group.first:
        task.init_weights(model, prerequisite.load(task, before))
        if start is not None:
            warm_start.copy_weights(task, config, model, start, reporter)
    optimizer, loss = make_optimizer(config.train, batches_per_epoch), task.loss()
    if config.train.accumulate > 1 or group is not None:
        model = split(model, loss, config.train.accumulate, group)
    model.compile(
        optimizer,
        loss,
        weighted_metrics=task.metrics(),
        jit_compile=config.train.jit,
        steps_per_execution=_steps_per_execution(config, reporter),
    )
    optimizer.build(model.trainable_variables)
    return model, encoder


def _steps_per_execution(config: Config, reporter: Reporter) -> int:
    """Training steps in one call; 1 with weight averaging or processes, and with PyTorch, as in Keras."""
    steps = config.train.steps_per_execution if config.train.average == "none" and config.train.processes == 1 else 1
    if steps > 1 and keras.backend.backend() == "torch":
        reporter.say(f"train.steps_per_execution={steps} is ignored: Keras allows only 1 with the backend torch")
        return 1
    return steps


def count(weights: Sequence[Any]) -> int:
    """Number of parameters of some weights."""
    return sum(math.prod(weight.shape) for weight in weights)
