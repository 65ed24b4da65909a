"""Callback that gives the trackers of a run what training produces."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import keras

from seqtasks.task_types.base import Task
from seqtasks.training.checkpoint import Checkpoint
from seqtasks.training.gradient_log import GradientLog
from seqtasks.training.tracking import Session

log = logging.getLogger(__name__)


class TrackerCallback(keras.callbacks.Callback):
    """Callback that sends finished epochs at the beginning of the next one, whose time they do not count to.

    Numbers come from the history of the checkpoint, so that a run that continues sends what is missing. Texts are those
    after epochs 1, 2, 4, 8 and so on, and after the last one. Training is the same with and without trackers.

    Args:
        session: Trackers of the run.
        checkpoint: Callback with the history.
        task: Task that writes texts.
        validation: Batches of the validation split.
        gradients: Callback that keeps gradients; None: none are kept.
    """

    def __init__(
        self, session: Session, checkpoint: Checkpoint, task: Task, validation: Any, gradients: GradientLog | None
    ):
        super().__init__()
        self.session = session
        self.checkpoint = checkpoint
        self.task, self.validation = task, validation
        self.gradients = gradients
        self._last = checkpoint.epoch  # number of the last epoch that was sent, or was finished before

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        done = self.checkpoint.epoch
        self.send(texts=done & (done - 1) == 0)

    def send(self, texts: bool = False, now: bool = False) -> None:
        """Sends what is new since the last call.

        Args:
            texts: Also texts that the model writes now.
            now: Do not wait for further epochs.
        """
        epoch = self.checkpoint.epoch
        if epoch > self._last:
            self._last = epoch
            if self.gradients is not None:
                self.session.log_gradients(epoch, self.gradients.kept)
            if texts:
                self.session.log_texts(epoch, self._texts)
        self.session.log(self.checkpoint.history, now)

    def _texts(self) -> Mapping[str, str]:
        variables = self.model.non_trainable_variables  # kept states; writing a text starts from others
        values = [keras.ops.convert_to_numpy(variable).copy() for variable in variables]
        try:
            return self.task.text_samples(self.model, self.validation)
        except Exception as error:  # a task of a user may fail in any way
            reason = " ".join(str(error).split()) or type(error).__name__
            log.warning("no text samples for the trackers after epoch %d: %s", self.checkpoint.epoch, reason)
            return {}
        finally:
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)
