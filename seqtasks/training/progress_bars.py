"""Progress of training: a bar in a terminal, one line in a notebook, one line an epoch elsewhere; stop at NaN."""

from __future__ import annotations

import math
import time
from typing import Any

import keras
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from seqtasks.core.errors import TrainingDiverged
from seqtasks.core.reporter import Reporter
from seqtasks.data.batches import ResumableBatches


def progress_callbacks(reporter: Reporter, epochs: int, steps: int) -> list[keras.callbacks.Callback]:
    """The callbacks that show the progress of training; none if the reporter is quiet.

    Args:
        reporter: Prints progress.
        epochs: Number of epochs.
        steps: Number of batches of an epoch.
    """
    if reporter.quiet:
        return []
    if reporter.notebook:
        return [TrainingDisplay(epochs)]
    kind = TrainingBar if reporter.console.is_terminal else TrainingLines
    return [kind(reporter.console, epochs, steps)]


def compiling() -> str:
    """Text until the end of the first step, which compiles it; empty with PyTorch, which does not."""
    return "" if keras.backend.backend() == "torch" else "compiling …"


class TrainingLines(keras.callbacks.Callback):
    """Callback that prints one line for each epoch.

    Args:
        console: Where to print.
        epochs: Number of epochs.
        steps: Number of batches of an epoch.
    """

    def __init__(self, console: Console, epochs: int, steps: int):
        super().__init__()
        self.console, self.epochs, self.steps = console, epochs, steps
        self._begin = time.perf_counter()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._begin = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.console.print(epoch_line(epoch, self.epochs, logs, self._begin), markup=False)


class TrainingDisplay(keras.callbacks.Callback):
    """The line of the last epoch in a notebook; each epoch replaces it, and the first one the word compiling."""

    def __init__(self, epochs: int):
        super().__init__()
        self.epochs = epochs
        self._begin = time.perf_counter()
        self._handle: Any = None

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._begin = time.perf_counter()
        if self._handle is None and compiling():
            self._show(f"epoch {epoch + 1}/{self.epochs}  {compiling()}")

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._show(epoch_line(epoch, self.epochs, logs, self._begin))

    def _show(self, line: str) -> None:
        from IPython.display import display

        data = {"text/plain": line}
        if self._handle is None:
            self._handle = display(data, raw=True, display_id=True)
        else:
            self._handle.update(data, raw=True)


class TrainingBar(keras.callbacks.Callback):
    """Callback that shows a bar for the current epoch and a line for each finished one.

    Args:
        console: Where to print.
        epochs: Number of epochs.
        steps: Number of batches of an epoch.
    """

    def __init__(self, console: Console, epochs: int, steps: int):
        super().__init__()
        self.epochs, self.steps = epochs, steps
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[values]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self._begin = time.perf_counter()
        self._drawn = 0.0
        self._first = compiling()

    def on_train_begin(self, logs: Any = None) -> None:
        self.progress.start()
        self._task = self.progress.add_task("", total=self.steps, values="")

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._begin = time.perf_counter()
        # The first epoch of a resumed run has only its remaining batches.
        self._offset = self.steps - (self.params.get("steps") or self.steps)
        self.progress.reset(
            self._task,
            description=f"epoch {epoch + 1}/{self.epochs}",
            completed=self._offset,
            values=self._first,
            total=self.steps,
        )

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self._first = ""
        now = time.perf_counter()
        done = min(self._offset + batch + 1, self.steps)
        if now - self._drawn > 0.1 or done == self.steps:
            self._drawn = now
            self.progress.update(self._task, completed=done, values=describe(logs or {}))

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.progress.console.print(epoch_line(epoch, self.epochs, logs, self._begin), markup=False)

    def on_train_end(self, logs: Any = None) -> None:
        self.close()

    def close(self) -> None:
        """Removes the bar from the screen; also called after an interruption."""
        self.progress.stop()


class StopOnNaN(keras.callbacks.Callback):
    """Callback that raises TrainingDiverged if the loss is NaN or infinite.

    Args:
        learning_rate: Learning rate, for the advice in the message.
        batches: Training batches, for the number of the step in a resumed epoch.
    """

    def __init__(self, learning_rate: float, batches: ResumableBatches):
        super().__init__()
        self.learning_rate = learning_rate
        self.batches = batches
        self.epoch = 0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        loss = (logs or {}).get("loss", 0.0)
        if not math.isfinite(loss):
            step = self.batches.done(batch)
            raise TrainingDiverged(
                f"the loss became {loss} at step {step} of epoch {self.epoch + 1}; no result was written; try "
                f"train.learning_rate={self.learning_rate / 10:g} (it is {self.learning_rate:g}) or train.clip_norm=1"
            )


def epoch_line(epoch: int, epochs: int, logs: dict[str, float] | None, begin: float) -> str:
    """The line of an epoch that has just ended.

    Args:
        epoch: Number of the epoch, from 0.
        epochs: Number of epochs of the training.
        logs: Keras's logs.
        begin: `time.perf_counter()` at the start of the epoch.
    """
    return f"epoch {epoch + 1}/{epochs}  {describe(logs or {})}  {time.perf_counter() - begin:.0f} s"


def describe(logs: dict[str, float]) -> str:
    """Formats the logs of Keras for a line of progress.

    Example:
        >>> describe({"loss": 0.0312, "accuracy": 0.9902})
        'loss 0.0312  accuracy 99.02 %'
    """
    parts = []
    for name, value in logs.items():
        if name in ("learning_rate", "val_epoch"):  # the latter only says that the last weights are kept
            continue
        text = f"{100 * value:.2f} %" if name.endswith("accuracy") else f"{value:.4f}"
        parts.append(f"{name} {text}")
    return "  ".join(parts)
