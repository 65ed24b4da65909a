"""Weight averages that are scored and saved: EMA, NT-ASGD, last epochs."""

from __future__ import annotations

from typing import Any

import keras

from seqtasks.core.config import TrainConfig


class WeightAverage(keras.callbacks.Callback):
    """Callback that swaps weights of the model with their average to validate and save.

    The optimizer keeps the average. From the beginning of a validation (without one, the end of an epoch) to the
    beginning of the next epoch, the model has the average, and the optimizer keeps the weights that training continues
    with.

    - `ema`: exponential moving average from the first step.
    - `nt_asgd`: mean of all weights after averaging begins, at the first validation that is worse than
      the best of all but the last `nonmono` ones. Until then, the weights themselves.
    - `epochs`: mean of the weights at the ends of the last `last_epochs` epochs. Until then, the
      weights themselves.

    Reference: Merity et al. 2017, https://arxiv.org/abs/1708.02182 (nt_asgd)

    Args:
        config: Settings `train.*`.
        monitor: Name of the validation value that `nt_asgd` watches.
        higher_is_better: Whether a larger value of `monitor` is better.
    """

    def __init__(self, config: TrainConfig, monitor: str, higher_is_better: bool):
        super().__init__()
        self.how = config.average
        last = config.last_epochs if self.how == "epochs" else 0
        self.first = max(0, config.known_epochs - last) if last else 0  # first epoch that `epochs` averages
        self.momentum = config.ema_momentum
        self.nonmono = config.nonmono
        self.monitor = monitor
        self.sign = -1.0 if higher_is_better else 1.0
        self.swapped = False  # whether the model has the average
        self.values: list[float] = []
        self.begin: int | None = 0 if self.how == "ema" else None  # first step that is averaged; None: not yet
        self._step = self._epoch = 0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._put(average=False)
        self._step, self._epoch = int(self.model.optimizer.iterations), epoch

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self.model.optimizer.ema_momentum.assign(self._momentum(last=batch + 1 == self.params["steps"]))
        self._step += 1

    def _momentum(self, last: bool) -> float:
        """Weight of the old average in the next update of the average.

        Args:
            last: Whether the next step is the last of its epoch.
        """
        if self.how == "epochs":
            n = max(0, self._epoch - self.first)
            return n / (n + 1) if last or not n else 1.0
        n = 0 if self.begin is None else self._step - self.begin
        # With n / (n + 1) the average is the plain mean; ema begins close to that, with (1 + n) / (10 + n).
        return min(self.momentum, (1 + n) / (10 + n)) if self.how == "ema" else n / (n + 1)

    def on_test_begin(self, logs: Any = None) -> None:
        self._put(average=True)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        assert logs is not None
        self._put(average=True)
        value, before = self.sign * float(logs[self.monitor]), self.values[: -self.nonmono]
        if self.begin is None and before and value > min(before):
            self.begin = self._step
        self.values.append(value)

    def _put(self, average: bool) -> None:
        """Swaps weights and average, unless the model already has what is requested."""
        if self.swapped == average:
            return
        optimizer = self.model.optimizer
        for weight, mean in zip(self.model.trainable_variables, optimizer._model_variables_moving_average, strict=True):
            now = keras.ops.copy(weight.value)
            weight.assign(mean)
            mean.assign(now)
        self.swapped = average


def with_tunable_ema(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """Gives an optimizer with `use_ema` a momentum that can change in each step."""
    # Keras would overwrite the weights by the average at the end of each fit, also in the middle of training.
    optimizer.finalize_variable_values = lambda variables: None
    optimizer.ema_momentum = keras.Variable(0.0, trainable=False, name="average_momentum")
    return optimizer
