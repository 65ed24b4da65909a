"""Optimizers and learning-rate schedules from a `TrainConfig`."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from seqtasks.core.config import TrainConfig
from seqtasks.engines.backend.fused_adam import Adam
from seqtasks.training.weight_averaging import WeightAverage, with_tunable_ema


def make_optimizer(config: TrainConfig, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    """The optimizer with learning rate schedule, gradient clipping and weight averaging.

    Args:
        config: Settings `train.*`.
        steps_per_epoch: Number of batches of an epoch, for the length of the schedule.

    Example:
        >>> make_optimizer(TrainConfig(epochs=3, optimizer="sgd"), steps_per_epoch=100).name
        'sgd'
    """
    rate = make_schedule(config, steps_per_epoch)
    # Keras's global_clipnorm scales all gradients by one factor; clipnorm would clip each weight's gradient.
    common: dict[str, Any] = {"learning_rate": rate, "global_clipnorm": config.clip_norm}
    if config.average != "none":
        return with_tunable_ema(_optimizer(config, {**common, "use_ema": True}))
    return _optimizer(config, common)


def _optimizer(config: TrainConfig, common: dict[str, Any]) -> keras.optimizers.Optimizer:
    if config.optimizer == "adamw":
        return Adam(weight_decay=config.weight_decay, **common)  # Keras's AdamW is Adam with weight_decay, too
    if config.weight_decay:
        common["weight_decay"] = config.weight_decay
    if config.optimizer == "sgd":
        return keras.optimizers.SGD(momentum=config.momentum, **common)
    if config.optimizer == "rmsprop":
        return keras.optimizers.RMSprop(**common)
    return Adam(**common)


def make_schedule(config: TrainConfig, steps_per_epoch: int) -> Any:
    """The learning rate: a number, or a Keras schedule over update steps.

    Args:
        config: Settings `train.*`.
        steps_per_epoch: Number of batches of an epoch.
    """
    if config.schedule == "cosine":
        warmup = round(config.warmup_epochs * steps_per_epoch)
        total = config.known_epochs * steps_per_epoch
        if warmup:
            return keras.optimizers.schedules.CosineDecay(
                0.0, max(1, total - warmup), warmup_target=config.learning_rate, warmup_steps=warmup
            )
        return keras.optimizers.schedules.CosineDecay(config.learning_rate, total)
    if config.schedule == "step":
        return StepDecay(config.learning_rate, steps_per_epoch, config.decay, config.decay_after)
    if config.schedule == "exponential":
        return keras.optimizers.schedules.ExponentialDecay(config.learning_rate, steps_per_epoch, config.decay)
    return config.learning_rate


@keras.saving.register_keras_serializable("seqtasks")
class StepDecay(keras.optimizers.schedules.LearningRateSchedule):
    """Learning rate schedule: constant for some epochs, then lower by a factor each epoch.

    Reference: Zaremba et al. 2014, https://arxiv.org/abs/1409.2329

    Args:
        rate: Initial learning rate.
        steps_per_epoch: Number of batches of an epoch.
        decay: Factor of each epoch.
        after: Number of epochs at the initial learning rate.

    Example:
        >>> schedule = StepDecay(1.0, steps_per_epoch=10, decay=0.5, after=2)
        >>> [float(schedule(step)) for step in (0, 19, 20, 30)]
        [1.0, 1.0, 0.5, 0.25]
    """

    def __init__(self, rate: float, steps_per_epoch: int, decay: float, after: int):
        self.rate, self.steps_per_epoch, self.decay, self.after = rate, steps_per_epoch, decay, after

    def __call__(self, step: Any) -> Any:
        epoch = ops.floor(ops.cast(step, "float32") / self.steps_per_epoch)
        return self.rate * self.decay ** ops.maximum(epoch + 1.0 - self.after, 0.0)

    def get_config(self) -> dict[str, Any]:
        return {
            "rate": self.rate,
            "steps_per_epoch": self.steps_per_epoch,
            "decay": self.decay,
            "after": self.after,
        }


def schedule_callbacks(config: TrainConfig, monitor: str, mode: str) -> list[keras.callbacks.Callback]:
    """Callbacks for weight averaging, the schedule plateau and early stopping, if set.

    Args:
        config: Settings `train.*`.
        monitor: Name of the validation value that they watch.
        mode: "max" if a larger value is better, else "min".
    """
    made: list[keras.callbacks.Callback] = []
    if config.average != "none":
        made.append(WeightAverage(config, monitor, mode == "max"))
    if config.schedule == "plateau":
        made.append(
            keras.callbacks.ReduceLROnPlateau(
                monitor, factor=config.decay, patience=config.patience, mode=mode, min_delta=0
            )
        )
    if config.early_stopping is not None:
        made.append(keras.callbacks.EarlyStopping(monitor, patience=config.early_stopping, mode=mode))
    return made
