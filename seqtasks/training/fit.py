"""Trains a compiled model with `keras.Model.fit`; can be interrupted at any step."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any, Literal

import keras
import numpy as np

from seqtasks.core.config import Config
from seqtasks.core.errors import Interrupted, RunError, TrainingDiverged
from seqtasks.core.reporter import Reporter
from seqtasks.data.keras_adapter import UntunedDataAdapter
from seqtasks.engines.backend.process_group import ProcessGroup
from seqtasks.experiments.run_folder import Run
from seqtasks.task_types.base import Task
from seqtasks.task_types.common.last_epoch import LastEpoch
from seqtasks.training.checkpoint import Checkpoint
from seqtasks.training.gradient_log import GradientLog
from seqtasks.training.optimizers import schedule_callbacks
from seqtasks.training.progress_bars import StopOnNaN, progress_callbacks
from seqtasks.training.signals import StopRequest
from seqtasks.training.tracker_callback import TrackerCallback
from seqtasks.training.tracking import Session
from seqtasks.training.weight_averaging import WeightAverage

FEW = 1000  # below this number of validation examples, epochs often have equal scores


def fit(
    model: keras.Model,
    task: Task,
    batches: Any,
    validation: Any,
    config: Config,
    folder: Run,
    reporter: Reporter,
    group: ProcessGroup | None = None,
    session: Session | None = None,
) -> Checkpoint:
    """Trains to the end, from the last checkpoint if there is one.

    Args:
        model: Compiled model with a built optimizer.
        task: The task; its `monitor` names the value by which the best weights are chosen.
        batches: Batches of the training split.
        validation: Batches of the validation split; None: the training after the run, see `Task.refit_examples`.
        config: Resolved configuration.
        folder: Run folder, locked by the caller.
        reporter: Prints progress.
        group: Processes that train the model together; the first one alone writes to the folder.
        session: Trackers that record the run; None: there are none.

    Returns:
        The checkpoint with history, best epoch and best weights.

    Raises:
        Interrupted: The user stopped training; its state is saved.
        TrainingDiverged: The loss became NaN or infinite.
        RunError: The folder cannot be written.
    """
    refit = validation is None
    of_task = [LastEpoch()] if refit else task.callbacks(validation)
    monitor, mode = (LastEpoch.MONITOR, "max") if refit else (task.monitor, monitor_mode(task))
    scheduled = schedule_callbacks(config.train, monitor, mode)
    logs = []
    if config.train.log_gradients:
        path = folder.path if group is None or group.first else None
        entries = bool(config.train.trackers)  # in all processes of a group, as all compile the same step
        logs = [GradientLog(model, batches.batches_per_epoch, config.train.clip_norm, path, entries)]
    with StopRequest() as request:
        checkpoint = Checkpoint(
            folder,
            batches,
            scheduled,
            monitor,
            mode == "max",
            config.train.checkpoint_seconds,
            request,
            ties=not refit and len(validation.examples) < FEW,
            group=group,
            refit=refit,
        )
        if checkpoint.restore(model):
            ended = checkpoint.done or checkpoint.epoch == config.train.known_epochs
            where = f"after epoch {checkpoint.epoch}" if ended else f"in epoch {checkpoint.epoch + 1}"
            reporter.say(f"continuing {where}" + (f" after step {checkpoint.step}" if not ended else ""))
            for callback in scheduled:
                if isinstance(callback, WeightAverage):  # a checkpoint from the end of an epoch has averaged weights
                    callback.swapped = checkpoint.step == 0 or checkpoint.in_validation
        trackers = []
        if session is not None:
            session.start(checkpoint.history)
            trackers = [TrackerCallback(session, checkpoint, task, validation, next(iter(logs), None))]
        set_status = folder.set_status if checkpoint.writes else lambda _: None
        set_status("training")
        bars = progress_callbacks(reporter, config.train.known_epochs, batches.batches_per_epoch)
        callbacks = [
            StopOnNaN(config.train.learning_rate, batches),
            *of_task,
            EndOfScoring(request),
            *([] if group is None else [SameInAll(group)]),
            *trackers,  # before a weight average takes the averaged weights back
            *scheduled,
            *bars,
            *logs,  # after the bars, whose lines would be too long with them
            checkpoint,
        ]
        try:
            if checkpoint.in_validation:
                _finish_epoch(model, validation, checkpoint, callbacks)
            while checkpoint.epoch < config.train.known_epochs and not checkpoint.done:
                # Keras cannot start inside an epoch: train the remaining part of an epoch by a separate call of fit.
                until = checkpoint.epoch + 1 if checkpoint.step else config.train.known_epochs
                _fit_until(model, batches, validation, checkpoint.epoch, until, callbacks)
            for tracker in trackers:
                tracker.set_model(model)
                tracker.send(texts=True, now=True)
            if request.received:
                raise Interrupted(f"stopped after training, before scoring; continue with: {folder.command('resume')}")
        except TrainingDiverged as error:
            if checkpoint.writes:
                checkpoint.path.unlink(missing_ok=True)  # training would diverge again from there
            set_status(f"diverged: {error}")
            raise
        except KeyboardInterrupt as error:
            stopped = None
            if request.at_once and checkpoint.in_validation:
                request.at_once = False
                stopped = checkpoint.stop_in_validation()
            set_status("interrupted")
            if stopped is None:
                raise
            raise stopped from error
        finally:
            if session is not None:
                session.log(checkpoint.history, now=True)
            for bar in bars:
                if hasattr(bar, "close"):
                    bar.close()
    return checkpoint


class EndOfScoring(keras.callbacks.Callback):
    """Callback after those of the task: what follows changes the state of training and is finished after a signal.

    Args:
        request: Signals that ask to stop; see `StopRequest.at_once`.
    """

    def __init__(self, request: StopRequest):
        super().__init__()
        self.request = request

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.request.at_once = False


def _finish_epoch(
    model: keras.Model, validation: Any, checkpoint: Checkpoint, callbacks: Sequence[keras.callbacks.Callback]
) -> None:
    """Validates and ends an epoch whose batches are all trained, as `keras.Model.fit` does."""
    params = {"epochs": checkpoint.epoch + 1, "steps": checkpoint.batches.batches_per_epoch}
    listed = keras.callbacks.CallbackList(list(callbacks), model=model, verbose=0, **params)
    listed.on_train_begin()
    listed.on_epoch_begin(checkpoint.epoch)
    scores = model.evaluate(UntunedDataAdapter(validation), callbacks=listed, verbose=0, return_dict=True)
    logs = {**(checkpoint.trained or {}), **{f"val_{name}": value for name, value in scores.items()}}
    listed.on_epoch_end(checkpoint.epoch, logs)
    listed.on_train_end(logs)


class SameInAll(keras.callbacks.Callback):
    """Callback that gives all processes of a group the logs of the first, and checks that their weights are equal.

    Each process computes the scores of the whole validation split. On machines that round differently they may differ,
    and with them what the schedule and early stopping decide.

    Args:
        group: The processes.
    """

    def __init__(self, group: ProcessGroup):
        super().__init__()
        self.group = group

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        assert logs is not None
        logs.update(self.group.from_first({name: float(value) for name, value in logs.items()}))
        total = 0
        for weight in self.model.trainable_weights:
            total = zlib.crc32(np.ascontiguousarray(keras.ops.convert_to_numpy(weight)).tobytes(), total)
        if len(set(self.group.gather(np.array([total], np.uint32)).ravel().tolist())) > 1:
            raise RunError(
                f"after epoch {epoch + 1} the weights differ between the processes, as on machines that round "
                "differently; allowed: equal processors and versions; train again on equal machines, or with "
                "train.processes=1"
            )


def monitor_mode(task: Task) -> Literal["max", "min"]:
    """Whether the value `task.monitor`, by which the best weights are chosen, is better if larger or smaller."""
    return "max" if task.primary_higher_is_better and not task.monitor.endswith("loss") else "min"


def _fit_until(
    model: keras.Model,
    batches: Any,
    validation: Any,
    epoch: int,
    until: int,
    callbacks: Sequence[keras.callbacks.Callback],
) -> None:
    model.fit(
        UntunedDataAdapter(batches),
        validation_data=None if validation is None else UntunedDataAdapter(validation),
        initial_epoch=epoch,
        epochs=until,
        callbacks=list(callbacks),
        verbose=0,
        shuffle=False,
    )
