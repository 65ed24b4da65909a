"""Event files for TensorBoard in the folder `tensorboard` of a run."""

from __future__ import annotations

import os
import shlex
import socket
import struct
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seqtasks.experiments.results import Row
from seqtasks.training.tracker import TrackedRun, Tracker, register_tracker

FOLDER = "tensorboard"
BINS = 60  # maximum number of bins of a histogram
PARTS = ("train", "validation", "test")  # curves of one chart; TensorBoard takes each folder for a run


@register_tracker("tensorboard")
class TensorBoard(Tracker):
    """Writes scalars, texts, histograms of gradients and pictures for TensorBoard.

    Scalars of the training, validation and test split have the same tag in folders of their own, so that TensorBoard
    draws them into one chart. A run that continues writes further files; TensorBoard leaves out what an earlier session
    wrote after the last epoch that is known.

    Args:
        run: The run.
        state: `{"epochs": number of the last epoch}`.
    """

    modules = ("tensorboard",)
    package = "seqtasks[tensorboard]"

    def __init__(self, run: TrackedRun, state: dict[str, Any]):
        super().__init__(run, state)
        self._files: dict[str, EventFile] = {}

    @property
    def address(self) -> str:
        return shlex.join(["tensorboard", "--logdir", str(self.run.path / FOLDER)])

    def start(self) -> int:
        done = int(self.state.get("epochs", 0))
        folder = self.run.path / FOLDER
        for part in PARTS:
            if (folder / part).is_dir():
                self._file(part).continue_at(done + 1)
        if not done:
            settings = "\n".join(f"| {key} | {value} |" for key, value in self.run.settings.items())
            facts = "\n".join(f"| {key} | {value} |" for key, value in self.run.facts.items())
            self._file("train").text(0, "run", f"| | |\n| :-- | :-- |\n{facts}\n{settings}")
        return done

    def log(self, epochs: Sequence[Mapping[str, float]]) -> None:
        for values in epochs:
            for name, value in values.items():
                if name != "epoch":
                    short = name.removeprefix("val_").removeprefix("validation_")
                    part = "train" if short == name else "validation"
                    self._file(part).scalar(int(values["epoch"]), short, float(value))
        self._flush()
        self.state["epochs"] = int(epochs[-1]["epoch"])

    def log_text(self, epoch: int, name: str, text: str) -> None:
        self._file("train").text(epoch, name, _as_markdown(text))
        self._flush()

    def log_histogram(self, epoch: int, name: str, values: np.ndarray) -> None:
        self._file("train").histogram(epoch, f"gradients/{name}", values)
        self._flush()

    def log_result(self, row: Row) -> None:
        for name, value in row.scores.items():
            self._file("test").scalar(row.epochs, name, value)
        self._flush()

    def close(self, status: str) -> None:
        if status == "finished":
            for path in sorted((self.run.path / "plots").glob("*.png")):
                self._file("test").picture(int(self.state.get("epochs", 0)), path.stem, path)
        for file in self._files.values():
            file.close()

    def _file(self, part: str) -> EventFile:
        if part not in self._files:
            self._files[part] = EventFile(self.run.path / FOLDER / part)
        return self._files[part]

    def _flush(self) -> None:
        for file in self._files.values():
            file.flush()


class EventFile:
    """One event file, written without TensorFlow, so that other backends of Keras do not load it.

    Args:
        folder: Folder of the file.
    """

    _number = 0

    def __init__(self, folder: Path):
        from tensorboard.summary.writer.record_writer import RecordWriter

        folder.mkdir(parents=True, exist_ok=True)
        EventFile._number += 1
        now = time.time()
        # Viewers read the files of a folder in the order of their names.
        name = f"events.out.tfevents.{int(now):010d}.{now % 1 * 1e9:09.0f}.{socket.gethostname()}.{os.getpid()}"
        self._file = (folder / f"{name}.{EventFile._number}").open("wb")
        self._records = RecordWriter(self._file)
        self._write(file_version="brain.Event:2")
        self.flush()

    def continue_at(self, step: int) -> None:
        """Marks a new session: what earlier files of the folder have at this step or later is not shown."""
        from tensorboard.compat.proto.event_pb2 import SessionLog

        self._write(step=step, session_log=SessionLog(status=SessionLog.START))

    def scalar(self, step: int, tag: str, value: float) -> None:
        """Writes a number."""
        from tensorboard.plugins.scalar.metadata import create_summary_metadata

        self._tensor(step, tag, np.float32(value), create_summary_metadata("", ""))

    def text(self, step: int, tag: str, markdown: str) -> None:
        """Writes a text in Markdown."""
        from tensorboard.plugins.text.metadata import create_summary_metadata

        self._tensor(step, tag, np.array(markdown.encode(), object), create_summary_metadata("", ""))

    def histogram(self, step: int, tag: str, values: np.ndarray) -> None:
        """Writes the distribution of numbers; those that are not finite are left out."""
        from tensorboard.plugins.histogram.metadata import create_summary_metadata

        self._tensor(step, tag, bins(values), create_summary_metadata("", ""))

    def picture(self, step: int, tag: str, path: Path) -> None:
        """Writes a PNG file."""
        from tensorboard.plugins.image.metadata import create_summary_metadata

        png = path.read_bytes()
        size = [str(number).encode() for number in struct.unpack(">II", png[16:24])]  # of the header chunk
        self._tensor(step, tag, np.array([*size, png], object), create_summary_metadata("", ""))

    def flush(self) -> None:
        """Writes what is buffered to the disk."""
        self._records.flush()

    def close(self) -> None:
        """Closes the file."""
        self._records.close()

    def _tensor(self, step: int, tag: str, value: Any, metadata: Any) -> None:
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.util import tensor_util

        tensor = tensor_util.make_tensor_proto(value)
        self._write(step=step, summary=Summary(value=[Summary.Value(tag=tag, tensor=tensor, metadata=metadata)]))

    def _write(self, **fields: Any) -> None:
        from tensorboard.compat.proto.event_pb2 import Event

        self._records.write(Event(wall_time=time.time(), **fields).SerializeToString())


def bins(values: np.ndarray) -> np.ndarray:
    """Counts of numbers in bins of equal width.

    Args:
        values: The numbers, `(count,)`.

    Returns:
        Left edge, right edge and count of each bin, `(bins, 3)`; no bins if no number is finite.

    Example:
        >>> bins(np.array([0.0, 1.0, np.nan]))[[0, -1]].round(2).tolist()
        [[0.0, 0.02, 1.0], [0.98, 1.0, 1.0]]
    """
    finite = values[np.isfinite(values)].astype(np.float64)
    if not len(finite):
        return np.zeros((0, 3))
    counts, edges = np.histogram(finite, bins=BINS)
    return np.stack([edges[:-1], edges[1:], counts], axis=1)


def _as_markdown(text: str) -> str:
    """A text as a block of Markdown that keeps its lines."""
    return "\n".join(f"    {line}" for line in text.splitlines())
