"""Result rows, stored as `result.json` in the run folder.

    {"format": 1, "task": "mnist_rows", "version": 1, "metric": "accuracy", "value": 0.9871, …}

This module does not import Keras or pandas.
"""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from seqtasks.core.aliases import with_present_names, with_present_train
from seqtasks.core.errors import ConfigError, DamagedRunError, RunError
from seqtasks.core.files import write_text
from seqtasks.core.parsing import parse_json
from seqtasks.core.settings import build
from seqtasks.experiments import folder_index

FILE = "result.json"
FORMAT = 2
READABLE = (1, 2)  # formats that can be read; format 1 has former names of options, see `core.aliases`
NONE = "none"  # name in place of the cell, for a model without recurrence
# Fields that differ between runs with the same settings.
OWN = ("value", "seed", "encoder_params", "params", "epochs", "seconds", "seconds_per_epoch", "examples_per_second",
       "started", "finished", "run", "notes")  # fmt: skip
CELL_FILE = "cell_file"  # key in `Row.versions`: hash of the file that defines the cell


@dataclasses.dataclass(frozen=True)
class Row:
    """Result of one finished run or baseline: scores, settings, times, versions.

    Attributes:
        task: Name of the task.
        version: Version of the task; scores of different versions are not comparable.
        topology: Shape of the task, such as "many-to-one".
        kind: "model", "baseline", or "trial": a run of a search, whose `value` is its best validation score.
        source: Data source, e.g. "tfds:mnist".
        fingerprint: Hash of the data.
        metric: Name of the score that `value` holds.
        higher_is_better: Whether a larger `value` is better.
        value: Test score in the task's metric.
        scores: All test scores by name; empty for a trial.
        validation: Validation scores of the best epoch.
        seed: Random seed.
        cell: Name of the cell; for a baseline its name, e.g. "logistic regression".
        engine: Engine that ran the cell, or the library of a baseline.
        encoder_params: Number of trainable parameters of the encoder.
        params: Number of trainable parameters of the model.
        epochs: Number of epochs.
        seconds: Time of training and validation.
        seconds_per_epoch: Median training time of an epoch.
        examples_per_second: Training examples per second; None for a baseline.
        config: Nested settings, as `Config.to_dict` returns them.
        versions: Versions of python, seqtasks, backend, keras, numpy and others.
        commit: Commit of seqtasks, if known.
        machine: Processor and operating system.
        threads: Number of threads.
        started: Time of the start, ISO 8601 in UTC.
        finished: Time of the end, ISO 8601 in UTC.
        run: Name of the run folder.
        notes: Sentences on what makes the score doubtful.
        test_examples: Number of examples of the test split; None in rows of older versions.
        refit_examples: Number of training and validation examples on which the scored model was trained, after the run
            whose `validation` and `epochs` the row has; None: it is the model of that run.

    Example:
        >>> import seqtasks
        >>> row = seqtasks.load_run("mnist_rows-lstm-0123abcd").row  # doctest: +SKIP
        >>> row.metric, row.value  # doctest: +SKIP
        ('accuracy', 0.9871)
    """

    task: str
    version: int
    topology: str
    kind: Literal["model", "baseline", "trial"]
    source: str
    fingerprint: str
    metric: str
    higher_is_better: bool
    value: float
    scores: dict[str, float]
    validation: dict[str, float]
    seed: int
    cell: str
    engine: str
    encoder_params: int
    params: int
    epochs: int
    seconds: float
    seconds_per_epoch: float
    examples_per_second: float | None
    config: dict[str, Any]
    versions: dict[str, str]
    commit: str | None
    machine: str
    threads: int
    started: str
    finished: str
    run: str
    notes: list[str] = dataclasses.field(default_factory=list)
    test_examples: int | None = None
    refit_examples: int | None = None


def to_json(row: Row, *, skipped: bool = False) -> str:
    """A row as one line of JSON.

    Args:
        row: The row.
        skipped: Add `"skipped": true`, for a run that was finished before.

    Raises:
        RunError: A value is not finite, or is not plain data.
    """
    return json.dumps(_plain(row) | ({"skipped": True} if skipped else {}), ensure_ascii=False)


def from_json(text: str) -> Row:
    """Parses the output of `to_json`; unknown keys are ignored.

    Raises:
        RunError: The text is not JSON, has another format, lacks a key, or has a value of another type.
    """
    try:
        values = parse_json(text)
    except ValueError as error:
        raise DamagedRunError(f"this is not a result row: {error}; run it again") from error
    number = values.get("format") if isinstance(values, Mapping) else None
    if number is None:
        raise DamagedRunError("this is not a result row: it has no format number; run it again")
    if number not in READABLE:
        raise RunError(
            f"result format is {number}; this version of seqtasks reads formats {' and '.join(map(str, READABLE))}; "
            "run it again with --force"
        )
    fields = dataclasses.fields(Row)
    required = [f.name for f in fields if dataclasses.MISSING is f.default is f.default_factory]
    missing = [name for name in required if name not in values]
    if missing:
        raise DamagedRunError(f"the result row lacks {', '.join(missing)}; run it again")
    if number == 1 and isinstance(values["config"], Mapping) and isinstance(values["config"].get("options"), Mapping):
        values["config"] = {**values["config"], "options": with_present_names(values["config"]["options"])}
    if isinstance(values["config"], Mapping) and isinstance(values["config"].get("train"), Mapping):
        values["config"] = {**values["config"], "train": with_present_train(values["config"]["train"])}
    try:
        return build(Row, {field.name: values[field.name] for field in fields if field.name in values})
    except ConfigError as error:
        raise DamagedRunError(f"damaged result row: {str(error).rpartition('; ')[0]}; run it again") from error


def write(row: Row, folder: Path) -> Path:
    """Writes `folder/result.json` atomically.

    Returns:
        Path of the file.

    Raises:
        RunError: A value is not finite or not plain data, or the file cannot be written.
    """
    text = json.dumps(_plain(row), indent=2, ensure_ascii=False) + "\n"
    path = folder / FILE
    try:
        write_text(path, text)
    except OSError as error:
        raise RunError(
            f"cannot write {path}: {error.strerror}; free disk space or choose another --runs folder"
        ) from error
    return path


def read(folder: Path) -> Row:
    """Loads the row of a run folder.

    Raises:
        RunError: There is no result, or it cannot be read.
        DamagedRunError: The result is damaged.
    """
    path = folder / FILE
    try:
        return from_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror}; give the folder of a finished run") from error
    except UnicodeDecodeError as error:
        raise DamagedRunError(f"{path} is not text: {error}; run it again") from error
    except RunError as error:
        raise type(error)(f"{path}: {error}") from (error.__cause__ or error)


def finished(folder: Path) -> Row | None:
    """Loads the row of a run folder, if there is one.

    Returns:
        The row; None if there is none or it is damaged, so that the run has to be trained again.

    Raises:
        RunError: A result of another format, or one that cannot be read.
    """
    if not (folder / FILE).is_file():
        return None
    try:
        return read(folder)
    except DamagedRunError as error:
        logging.getLogger(__name__).warning("%s; training again", str(error).rpartition(";")[0])
        return None


def rows(runs_dir: Path, *tasks: str) -> list[Row]:
    """Loads the rows of all finished runs in a folder, sorted by task, cell and seed.

    Folders without a result are ignored; a damaged result is logged as a warning.

    Args:
        runs_dir: Folder of all runs.
        tasks: Names of the tasks; none: all tasks.
    """
    packing = folder_index.Packing(f"rows {FORMAT}", lambda row: row.task, _pack, _unpack)
    loaded = folder_index.read_all(
        Path(runs_dir), FILE, _readable, packing, lambda section: not tasks or section in tasks
    )
    return sorted(loaded.values(), key=lambda row: (row.task, row.cell, row.seed, row.run))


def _readable(folder: Path) -> Row | None:
    """The row of a run folder; None, with a warning, if it cannot be read."""
    try:
        return read(folder)
    except RunError as error:
        logging.getLogger(__name__).warning("skipping a damaged result: %s", error)
        return None


def baselines_of(row: Row, runs_dir: Path) -> list[Row]:
    """Loads the rows of baselines that were fitted on the same data as a row.

    Args:
        row: A result row.
        runs_dir: Folder of all runs.
    """
    return [
        other
        for other in rows(runs_dir, row.task)
        if other.kind == "baseline" and (other.source, other.fingerprint) == (row.source, row.fingerprint)
    ]


def _pack(rows: Sequence[Row]) -> Any:
    """Rows as plain data for an index: what many of them share, and the values of each."""
    names = [field.name for field in dataclasses.fields(Row) if field.name not in OWN]

    def common(row: Row) -> dict[str, Any]:
        facts = {name: getattr(row, name) for name in names}
        config = {**row.config, "seed": None} if "seed" in row.config else row.config
        return {**facts, "scores": list(row.scores), "validation": list(row.validation), "config": config}

    facts, numbers = folder_index.shared(map(common, rows))
    values = [
        [
            number,
            list(row.scores.values()),
            list(row.validation.values()),
            row.config.get("seed"),
            *(getattr(row, name) for name in OWN),
        ]
        for number, row in zip(numbers, rows, strict=True)
    ]
    return [facts, values]


def _unpack(data: Any) -> list[Row]:
    """The rows of `_pack`; rows share the parts of their settings that are equal."""
    rows = []
    for number, scores, validation, seed, *values in data[1]:
        facts = data[0][number]
        config = facts["config"]
        fields = dict(facts)
        fields.update(zip(OWN, values, strict=True))
        fields["scores"] = dict(zip(facts["scores"], scores, strict=True))
        fields["validation"] = dict(zip(facts["validation"], validation, strict=True))
        fields["config"] = {**config, "seed": seed} if "seed" in config else config
        row = Row.__new__(Row)  # the values were checked when they were read from the run folder
        vars(row).update(fields)
        rows.append(row)
    return rows


def _plain(row: Row) -> dict[str, Any]:
    """The row as a dictionary for JSON, with the format number.

    Raises:
        RunError: A value is not finite, or is not plain data.
    """
    values = dataclasses.asdict(row)
    for name, value in values.items():
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise RunError(
                f"the result's {name} is {value!r}; allowed: finite numbers and plain data; look at the loss"
            ) from error
    return {"format": FORMAT, **values}
