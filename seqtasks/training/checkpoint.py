"""Checkpoints from which training continues exactly as if it had not been interrupted.

One file holds the variables of the model (weights, states, random generators), of the
optimizer and of the running metrics, the position in the data, the state of Keras's
callbacks and the history.
"""

from __future__ import annotations

import json
import time
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd

from seqtasks.core.errors import Interrupted, RunError
from seqtasks.core.files import write_atomic, write_text
from seqtasks.core.parsing import parse_json
from seqtasks.data.batches import ResumableBatches
from seqtasks.engines.backend.process_group import ProcessGroup, share
from seqtasks.engines.backend.split_training import SEED
from seqtasks.engines.backend.state_rows import KEPT
from seqtasks.experiments.run_folder import Run, writing
from seqtasks.training.gradient_log import LOGGED
from seqtasks.training.signals import StopRequest

# State of ReduceLROnPlateau, EarlyStopping and WeightAverage between epochs.
_MEMORY = ("wait", "best", "best_epoch", "stopped_epoch", "cooldown_counter", "values", "begin")

# Metadata of a checkpoint, with types.
_META: dict[str, Any] = {
    "epoch": int,
    "step": int,
    "done": bool,
    "best": int | float | None,
    "best_epoch": int,
    "spent": int | float,
    "history": list,
    "memories": list,
}
LOG = "log/"  # variables of `train.log_gradients`, which may be switched on or off between two sessions
STOP, SAVE = 0, 1  # proposals of a process to the others
AFRESH = "train from the beginning: seqtasks run with the same settings and --force"


class Checkpoint(keras.callbacks.Callback):
    """Callback that saves and restores the state of training; must be the last callback.

    Args:
        run: Run folder to write to.
        batches: Training batches, whose position is saved.
        others: Callbacks with state to save.
        monitor: Name of the validation value by which the best weights are chosen.
        higher_is_better: Whether a larger value of `monitor` is better.
        seconds: Minimum time between two saves within an epoch.
        request: Signals that ask training to save and stop, as Ctrl-C does; None: none are heard.
        ties: Among epochs with the same value, keep the one with the lowest validation loss, not the
            first. Scores of few validation examples are often equal.
        group: Processes that train together; the first one alone writes. All save and stop after the same
            step. None: a single process.
        refit: Whether this is the training after the run, see `Task.refit_examples`: without validation, so that
            neither best weights nor `history.csv` are written, and with a file of its own.
    """

    def __init__(
        self,
        run: Run,
        batches: ResumableBatches,
        others: list[keras.callbacks.Callback],
        monitor: str,
        higher_is_better: bool,
        seconds: float,
        request: StopRequest | None = None,
        ties: bool = False,
        group: ProcessGroup | None = None,
        refit: bool = False,
    ):
        super().__init__()
        self.group = group
        self.refit = refit
        self.writes = group is None or group.first
        self.run = run
        self.batches = batches
        self.others = others
        self.monitor = monitor
        self.higher_is_better = higher_is_better
        self.seconds = seconds
        self.request = request or StopRequest()
        self.ties = ties
        self.epoch = 0
        self.step = 0
        self.done = False
        self.best: float | None = None
        self.best_loss: float | None = None
        self.best_epoch = 0
        self.history: list[dict[str, float]] = []
        self.spent = 0.0  # training time of this epoch before `_clock`
        self._memories: list[dict[str, Any]] = [{} for _ in others]
        self._metrics: list[np.ndarray] | None = None
        self.trained: dict[str, float] | None = None  # training values of an epoch that is not validated yet
        self._saved = self._clock = time.perf_counter()
        if group is not None:
            group.proposals = (lambda: self.request.received, lambda: group.first and self._due())

    @property
    def path(self) -> Path:
        """Path of the checkpoint file."""
        return self.run.path / ("refit.npz" if self.refit else "checkpoint.npz")

    def on_train_begin(self, logs: Any = None) -> None:
        for callback, memory in zip(self.others, self._memories, strict=True):  # after their on_train_begin reset them
            for name, value in memory.items():
                setattr(callback, name, value)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if self._metrics is not None:  # restored here because Keras resets metrics before each epoch
            for variable, value in zip(self.model.metrics_variables, self._metrics, strict=True):
                variable.assign(value)
            self._metrics = None
        if not self.in_validation and (self.batches.epoch, self.batches.start) != (self.epoch, self.step):
            # With JAX, Keras builds a model by starting an epoch that it abandons.
            self.batches.seek(self.epoch, self.step)
        self._clock = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.step = self.batches.done(batch)
        if self.step == self.batches.batches_per_epoch:
            self.trained = {name: float(value) for name, value in (logs or {}).items()}
            return  # the validation, or the end of the epoch, saves
        stop, due = self._wanted()
        if stop or due:
            self.save()
        if stop:
            raise self._stopped(f"in epoch {self.epoch + 1} after step {self.step}")

    def on_test_begin(self, logs: Any = None) -> None:
        self.spent += time.perf_counter() - self._clock
        self._clock = time.perf_counter()
        if self.group is None:  # a group stops together, at the end of the epoch
            self.request.at_once = True  # a long validation is not finished first
            if self.request.received:
                raise KeyboardInterrupt

    @property
    def in_validation(self) -> bool:
        """Whether all batches of the epoch are trained, and its validation has not ended."""
        return self.trained is not None

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        assert logs is not None
        if self.refit:
            self.spent += time.perf_counter() - self._clock
            self._clock = time.perf_counter()
        times = {"seconds": self.spent, "validation_seconds": time.perf_counter() - self._clock}
        self.history.append({"epoch": epoch + 1, **times, **{k: float(v) for k, v in logs.items()}})
        self._keep_best(epoch + 1, logs)
        self.epoch, self.step, self.spent, self.trained = epoch + 1, 0, 0.0, None
        for callback, memory in zip(self.others, self._memories, strict=True):
            memory.update({name: getattr(callback, name) for name in _MEMORY if hasattr(callback, name)})
        self.done = self.done or bool(self.model.stop_training)
        # For small data, writing the state takes longer than an epoch: save only every `seconds`, and at the end.
        if self.group is not None:
            self.group.ask_all()
        last, (stop, due) = epoch + 1 == self.params.get("epochs"), self._wanted()
        if last or self.done or stop or due:
            self.save()
        if self.writes and not self.refit:
            with writing(self.run.path):
                write_text(self.run.path / "history.csv", pd.DataFrame(self.history).to_csv(index=False))
        if stop:
            raise self._stopped(f"after epoch {self.epoch}")

    def stop_in_validation(self) -> Interrupted:
        """Saves the state before the validation of an epoch, and returns the error to raise."""
        self.save()
        return self._stopped(f"in the validation of epoch {self.epoch + 1}")

    def _due(self) -> bool:
        return time.perf_counter() - self._saved > self.seconds

    def _wanted(self) -> tuple[bool, bool]:
        """Whether to stop and whether to save after this step; equal in all processes of a group."""
        if self.group is None:
            return self.request.received, self._due()
        return self.group.agreed[STOP], self.group.agreed[SAVE]

    def _stopped(self, where: str) -> Interrupted:
        where += " of the training on training and validation examples" if self.refit else ""
        return Interrupted(f"stopped {where} and saved; continue with: {self.run.command('resume')}")

    def save(self) -> None:
        """Writes the state; to be called between two batches, or in a validation.

        Raises:
            RunError: The folder cannot be written.
        """
        running = self.spent
        if self.step and not self.in_validation:
            running += time.perf_counter() - self._clock
        meta = {
            "epoch": self.epoch,
            "step": self.step,
            "done": self.done,
            "best": self.best,
            "best_loss": self.best_loss,
            "best_epoch": self.best_epoch,
            "spent": running,
            "trained": self.trained,
            "history": self.history,
            "memories": [{k: _plain(v) for k, v in memory.items()} for memory in self._memories],
        }
        arrays = {name: self._value(variable) for name, variable in self._variables().items()}
        if self.writes:
            with writing(self.run.path):
                write_atomic(self.path, lambda p: _savez(p, {**arrays, "meta": np.array(json.dumps(meta))}))
        self._saved = time.perf_counter()

    def _value(self, variable: Any) -> np.ndarray:
        """Value of a variable; kept states have the rows of all processes, in the order of the batch."""
        value = np.asarray(keras.ops.convert_to_numpy(variable))
        if self.group is None or not _is_kept(variable):
            return value
        rows, count = self.batches.batch_size, self.group.count
        shares = [share(rows, count, rank) for rank in range(count)]
        pieces = self.group.gather(value[: -(-rows // count)])
        whole = value.copy()
        whole[:rows] = np.concatenate(
            [piece[: end - begin] for piece, (begin, end) in zip(pieces, shares, strict=True)]
        )
        return whole

    def restore(self, model: keras.Model) -> bool:
        """Restores a saved state into a compiled model and the batches.

        All processes of a group then have the variables of the first, and kept states of their rows, also if there was
        no saved state.

        Args:
            model: The compiled model with a built optimizer.

        Returns:
            Whether there was a saved state.

        Raises:
            RunError: The file is damaged or belongs to another model.
        """
        self.set_model(model)
        meta = self._read() if self.writes and self.path.is_file() else None
        if self.group is not None:
            meta = self.group.from_first(meta)
            self._take_from_first(self.group)
        if meta is None:
            return False
        self.epoch, self.step, self.done = meta["epoch"], meta["step"], meta["done"]
        self.best, self.best_epoch, self.best_loss = meta["best"], meta["best_epoch"], meta.get("best_loss")
        self.history, self.spent, self._memories = meta["history"], meta["spent"], meta["memories"]
        self.trained = meta.get("trained")
        inside = self.step and not self.in_validation
        self._metrics = [np.asarray(value, np.float32) for value in meta["metrics"]] if inside else None
        self.batches.seek(self.epoch + self.in_validation, self.step if inside else 0)
        if self._metrics:
            model.test_on_batch(*self.batches[0])  # makes Keras create the variables of the metrics
        return True

    def _read(self) -> dict[str, Any]:
        """Assigns the saved variables, and returns the metadata with the values of the metrics.

        Raises:
            RunError: The file is damaged or belongs to another model.
        """
        saved = _load(self.path)
        meta = self._meta(saved)
        variables = self._variables()
        metrics = sorted(name for name in saved if name.startswith("metric/"))
        expected = {name for name in variables if not name.startswith(("metric/", LOG))}
        if expected != {name for name in saved if not name.startswith(("metric/", LOG))}:
            raise _foreign(self.path)
        expected |= {name for name in saved if name.startswith(LOG) and name in variables}
        values = {name: _fitted(saved[name], variables[name], self.path) for name in sorted(expected)}
        for name, value in values.items():
            variables[name].assign(value)
        return {**meta, "metrics": [saved[name].tolist() for name in metrics]}

    def _take_from_first(self, group: ProcessGroup) -> None:
        variables = [variable for name, variable in self._variables().items() if not name.startswith("metric/")]
        values = group.arrays_from_first([keras.ops.convert_to_numpy(variable) for variable in variables])
        for variable, value in zip(variables, values, strict=True):
            if _is_kept(variable):
                begin, end = group.share(self.batches.batch_size)
                rows = np.zeros_like(value)
                rows[: end - begin] = value[begin:end]
                value = rows
            variable.assign(value)

    def restore_best(self) -> None:
        """Assigns the weights of the best epoch to the model.

        Raises:
            RunError: The file of the best weights is damaged or missing.
        """
        path = self.run.path / "best.npz"
        saved, weights = _load(path), self._weights()
        if set(saved) != set(weights):
            raise _foreign(path)
        values = {name: _fitted(saved[name], weight, path) for name, weight in weights.items()}
        for name, weight in weights.items():
            weight.assign(values[name])

    def _meta(self, saved: dict[str, np.ndarray]) -> dict[str, Any]:
        """Removes the metadata from the saved arrays and returns it.

        Raises:
            RunError: The metadata is missing or damaged.
        """
        try:
            meta = parse_json(str(saved.pop("meta")))
            valid = all(isinstance(meta[name], kind) for name, kind in _META.items())
        except (KeyError, ValueError, TypeError) as error:
            raise RunError(f"{self.path} has no readable metadata; {AFRESH}") from error
        if (
            not valid
            or len(meta["memories"]) != len(self.others)
            or not all(isinstance(m, dict) for m in meta["memories"])
            or not isinstance(meta.get("trained"), dict | None)
        ):
            raise RunError(f"{self.path} has damaged metadata; {AFRESH}")
        return dict(meta)

    def _keep_best(self, epoch: int, logs: dict[str, float]) -> None:
        value, loss = float(logs[self.monitor]), float(logs.get("val_loss", 0.0))
        if self.best is not None:
            tie = self.ties and value == self.best and self.best_loss is not None and loss < self.best_loss
            if not tie and (value <= self.best if self.higher_is_better else value >= self.best):
                return
        self.best, self.best_loss, self.best_epoch = value, loss, epoch
        if not self.writes or self.refit:
            return
        arrays = {name: keras.ops.convert_to_numpy(weight) for name, weight in self._weights().items()}
        with writing(self.run.path):
            write_atomic(self.run.path / "best.npz", lambda p: _savez(p, arrays))

    def _weights(self) -> dict[str, Any]:
        """Returns weights and kept states by the names in the file of the best weights.

        Kept states are among them for files of version 0.1, where they were weights.
        """
        metrics = {id(v) for v in self.model.metrics_variables}
        variables = [v for v in self.model.variables if id(v) not in metrics and not v.path.endswith(SEED)]
        return {f"{i:05d}": v for i, v in enumerate(variables)}

    def _variables(self) -> dict[str, Any]:
        # model.variables also contains those of the metrics, which Keras creates only at the first batch.
        metrics = self.model.metrics_variables
        seen = {id(v) for v in metrics}
        named = {f"model/{i:05d}": v for i, v in enumerate(v for v in self.model.variables if id(v) not in seen)}
        logged = [v for v in self.model.optimizer.variables if v.name.startswith(LOGGED)]
        others = [v for v in self.model.optimizer.variables if not v.name.startswith(LOGGED)]
        named |= {f"optimizer/{i:05d}": v for i, v in enumerate(others)}
        named |= {f"{LOG}{i:05d}": v for i, v in enumerate(logged)}
        return named | {f"metric/{i:05d}": v for i, v in enumerate(metrics)}


def _savez(path: Path, arrays: dict[str, np.ndarray]) -> None:
    with path.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]


def _fitted(saved: np.ndarray, variable: Any, path: Path) -> np.ndarray:
    """A saved array, cut or padded to the shape of its variable.

    States that are kept between batches have a row for each stream of the largest batch, in training or scoring,
    and `train.eval_batch_size` may change before training continues. Streams of training have the first rows;
    scoring resets the states.

    Raises:
        RunError: The shapes differ in another way.
    """
    shape = tuple(variable.shape)
    if saved.shape == shape:
        return saved
    if not _is_kept(variable) or saved.shape[1:] != shape[1:]:
        raise _foreign(path)
    rows = min(len(saved), shape[0])
    fitted = np.zeros(shape, saved.dtype)
    fitted[:rows] = saved[:rows]
    return fitted


def _is_kept(variable: Any) -> bool:
    """Whether a variable keeps states between batches, one row for each row of a batch."""
    return bool(variable.path.rpartition("/")[2].startswith(KEPT))


def _foreign(path: Path) -> RunError:
    return RunError(f"{path} belongs to another model; {AFRESH}")


def _load(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path) as saved:
            return {name: saved[name] for name in saved.files}
    except (
        *(OSError, ValueError, EOFError, KeyError, NotImplementedError, zipfile.BadZipFile, zlib.error),
        *(MemoryError, SyntaxError, tokenize.TokenError),  # a damaged header of an array
    ) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise RunError(f"cannot read {path}: {reason}; {AFRESH}") from error


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value
