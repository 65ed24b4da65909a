"""Keeps the weights of the last epoch where validation examples are too few to choose."""

from __future__ import annotations

from typing import Any

import keras

FEW = 100  # validation examples below which the best epoch is a matter of chance


class LastEpoch(keras.callbacks.Callback):
    """Adds `val_epoch`, the number of the epoch, to the logs, so that a run that monitors it keeps the last weights.

    A dozen validation examples are all right in many epochs, early ones by luck. The learning rate falls to zero at the
    end of the cosine schedule, and the last weights are as good as any.
    """

    MONITOR = "val_epoch"

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        assert logs is not None
        logs[self.MONITOR] = float(epoch + 1)
