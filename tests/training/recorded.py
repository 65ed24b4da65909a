"""Tasks that record the loss of each training step; run as a file by the tests of several processes."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import keras

from seqtasks import register_task
from seqtasks.core.plugins import load_task


class Recorder(keras.callbacks.Callback):
    """Appends the loss of each step, of this step alone, to the file that RECORD names.

    After step STOP_AFTER, process 1 gets SIGTERM.
    """

    def on_train_batch_end(self, batch, logs=None):
        if os.environ.get("SEQTASKS_PROCESS") == "1" and str(batch + 1) == os.environ.get("STOP_AFTER"):
            os.kill(os.getpid(), signal.SIGTERM)
        if os.environ.get("SEQTASKS_PROCESS", "0") == "0":
            with Path(os.environ["RECORD"]).open("a") as file:
                file.write(json.dumps(float(logs["loss"])) + "\n")
        self.model.jax_state_sync()  # the next step reads the reset metrics
        self.model.reset_metrics()


@register_task("recorded")
class Recorded(load_task(os.environ["RECORDED_TASK"])):
    """The task that RECORDED_TASK names."""

    def callbacks(self, validation):
        return [*super().callbacks(validation), Recorder()]
