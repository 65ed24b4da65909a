"""A finished run with its model, and the predictions that pages and servers ask it for."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import keras

from seqtasks.core.config import Config
from seqtasks.experiments import results, run_folder
from seqtasks.task_types.base import Task
from seqtasks.training.inference import options_of
from seqtasks.training.saved_model import open_trained


@dataclass(frozen=True)
class Answer:
    """Predictions of a run for one request.

    Attributes:
        rows: Rows that `Task.predict` returned.
        pictures: PNG files by the name of the option that draws them, such as `attention`.
    """

    rows: list[dict[str, Any]]
    pictures: dict[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class OpenedRun:
    """A finished run with its model.

    Attributes:
        folder: The run folder.
        task: The task.
        config: The configuration.
        model: The trained model.
        title: Cell, score and seed, to tell runs of a task apart.
    """

    folder: run_folder.Run
    task: Task
    config: Config
    model: keras.Model
    title: str

    @classmethod
    def open(cls, folder: run_folder.Run, trust: bool = False) -> Self:
        """Opens a finished run.

        Args:
            folder: The run.
            trust: Run the Python code that is stored in the run folder.

        Raises:
            RunError: The run is not finished, has no model, or has code that is not trusted.
        """
        task, config, model = open_trained(folder, trust)
        row = results.read(folder.path)
        cell = row.cell if task.uses_encoder else "no cell"
        title = f"{row.task}, {cell}, test {row.metric} {row.value:.4g}, seed {config.seed}"
        return cls(folder, task, config, model, title)

    @property
    def pictures(self) -> list[str]:
        """Options of `predict` that draw a picture which the model has."""
        fields = dataclasses.fields(self.task.PredictOptions)
        drawn = [f.name for f in fields if ".png" in f.metadata.get("output", ())]
        no_attention = getattr(self.config.options, "attention", None) == "none"
        return [name for name in drawn if not (name == "attention" and no_attention)]

    def ask(self, inputs: Sequence[str], options: Mapping[str, Any], pictures: Sequence[str] = ()) -> Answer:
        """Predicts as `seqtasks predict` does.

        Args:
            inputs: Texts or paths of files, whichever the task reads.
            options: Options of the task's `PredictOptions`; None values keep their defaults.
            pictures: Options that draw a picture, of those in `pictures`.

        Raises:
            SeqtasksError: Inputs or options that the task does not allow.
        """
        with TemporaryDirectory(prefix="seqtasks-") as folder:
            files = {name: str(Path(folder) / f"{name}.png") for name in pictures}
            chosen = {name: value for name, value in options.items() if value is not None}
            built = options_of(type(self.task), {**chosen, **files})
            rows = self.task.predict(self.model, inputs, built)
            rows = rows if isinstance(rows, list) else [{"text": "".join(rows)}]
            return Answer(rows, {name: Path(file).read_bytes() for name, file in files.items() if Path(file).is_file()})
