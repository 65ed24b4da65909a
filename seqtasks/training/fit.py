"""Fits a compiled model by `keras.Model.fit`, resumable at any step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from seqtasks.core.config import Config
from seqtasks.core.errors import ConfigError, Interrupted, TrainingDiverged
from seqtasks.core.reporter import Reporter
from seqtasks.data.keras_adapter import UntunedDataAdapter
from seqtasks.experiments.run_folder import Run
from seqtasks.task_types.base import Task
from seqtasks.training.checkpoint import Checkpoint
from seqtasks.training.optimizers import schedule_callbacks
from seqtasks.training.progress_bars import StopOnNaN, progress_callbacks
from seqtasks.training.signals import StopRequest
from seqtasks.training.weight_averaging import WeightAverage

FEW = 1000  # validation examples; the value of more is seldom the same twice


def fit(
    model: keras.Model,
    task: Task,
    batches: Any,
    validation: Any,
    config: Config,
    folder: Run,
    reporter: Reporter,
) -> Checkpoint:
    """Trains from the last checkpoint, if there is one, to the end.

    Args:
        model: compiled, its optimizer built.
        task: names the value that chooses the best weights.
        batches: of the training split.
        validation: of the validation split.
        config: resolved.
        folder: locked by the caller.
        reporter: where progress goes.

    Returns:
        The checkpoint: history, best epoch, best weights.

    Raises:
        Interrupted: the user stopped it; its state is saved.
        TrainingDiverged: the loss is no longer a number.
        RunError: the folder cannot be written.
    """
    mode = "max" if task.higher_is_better and not task.monitor.endswith("loss") else "min"
    scheduled = schedule_callbacks(config.train, task.monitor, mode)
    with StopRequest() as request:
        checkpoint = Checkpoint(
            folder,
            batches,
            scheduled,
            task.monitor,
            mode == "max",
            config.train.checkpoint_seconds,
            lambda: request.received,
            ties=len(validation.examples) < FEW,
        )
        if checkpoint.restore(model):
            reporter.say(f"continuing in epoch {checkpoint.epoch + 1} after step {checkpoint.step}")
            for callback in scheduled:
                if isinstance(callback, WeightAverage):  # what was saved at the end of an epoch holds the average
                    callback.swapped = checkpoint.step == 0
        folder.set_status("training")
        bars = progress_callbacks(reporter, config.train.known_epochs, batches.batches_per_epoch)
        callbacks = [
            StopOnNaN(config.train.learning_rate, batches),
            *task.callbacks(validation),
            *_tensorboard(config, folder),
            *scheduled,
            *bars,
            checkpoint,
        ]
        try:
            while checkpoint.epoch < config.train.known_epochs and not checkpoint.done:
                # Keras cannot begin inside an epoch: the rest of one is a fit of its own.
                until = checkpoint.epoch + 1 if checkpoint.step else config.train.known_epochs
                _fit_until(model, batches, validation, checkpoint.epoch, until, callbacks)
            if request.received:
                raise Interrupted(f"stopped after training, before scoring; continue with: {folder.command('resume')}")
        except TrainingDiverged as error:
            checkpoint.path.unlink(missing_ok=True)  # going on from there would diverge again
            folder.set_status(f"diverged: {error}")
            raise
        except KeyboardInterrupt:
            folder.set_status("interrupted")
            raise
        finally:
            for bar in bars:
                if hasattr(bar, "close"):
                    bar.close()
    return checkpoint


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
        validation_data=UntunedDataAdapter(validation),
        initial_epoch=epoch,
        epochs=until,
        callbacks=list(callbacks),
        verbose=0,
        shuffle=False,
    )


def _tensorboard(config: Config, folder: Run) -> list[keras.callbacks.Callback]:
    if not config.train.tensorboard:
        return []
    try:
        import tensorboard  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            "train.tensorboard=true needs TensorBoard, which is not installed; run pip install 'seqtasks[tensorboard]'"
        ) from error
    return [keras.callbacks.TensorBoard(str(folder.path / "tensorboard"))]
