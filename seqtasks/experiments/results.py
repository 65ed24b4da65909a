"""Result rows, stored as `result.json` in the run folder.

    {"format": 1, "task": "mnist_rows", "version": 1, "metric": "accuracy", "value": 0.9871, …}

Importing this module imports neither Keras nor pandas.
"""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from seqtasks.core.aliases import with_present_names
from seqtasks.core.errors import ConfigError, DamagedRunError, RunError
from seqtasks.core.files import write_text
from seqtasks.core.settings import build

FILE = "result.json"
FORMAT = 2
READABLE = (1, 2)  # format 1 has former names of options, see `core.aliases`
NONE = "none"  # the cell of a model without recurrence
CELL_FILE = "cell_file"  # among the versions of a row: the hash of the file that defines its cell


@dataclasses.dataclass(frozen=True)
class Row:
    """One finished run, or one baseline."""

    task: str
    version: int  # of the task
    topology: str
    kind: Literal["model", "baseline"]
    source: str  # the data that was used, e.g. tfds:mnist
    fingerprint: str  # of that data
    metric: str
    higher_is_better: bool
    value: float  # of the metric, on the test split
    scores: dict[str, float]  # every test score by name
    validation: dict[str, float]
    seed: int
    cell: str  # of a baseline: its name, e.g. "logistic regression"
    engine: str
    encoder_params: int
    params: int
    epochs: int
    seconds: float
    seconds_per_epoch: float
    examples_per_second: float | None
    config: dict[str, Any]  # nested, as of Config.to_dict()
    versions: dict[str, str]  # python, keras, backend, seqtasks, numpy, …
    commit: str | None
    machine: str
    threads: int
    started: str  # ISO 8601, UTC
    finished: str
    run: str  # name of the run folder
    notes: list[str] = dataclasses.field(default_factory=list)  # what makes the value doubtful, in sentences


def to_json(row: Row, *, skipped: bool = False) -> str:
    """A row on one line; `skipped` adds `"skipped": true`, for a run that was finished before.

    Raises:
        RunError: a value is not finite or not plain data.
    """
    return json.dumps(_plain(row) | ({"skipped": True} if skipped else {}), ensure_ascii=False)


def from_json(text: str) -> Row:
    """The inverse of `to_json`; keys that a row does not have are passed over.

    Raises:
        RunError: not JSON, another format, a missing key, a value of another type.
    """
    try:
        values = json.loads(text)
    except ValueError as error:
        raise DamagedRunError(f"this is not a result row: {error}; run it again") from error
    number = values.get("format") if isinstance(values, Mapping) else None
    if number is None:
        raise DamagedRunError("this is not a result row: it names no format; run it again")
    if number not in READABLE:
        raise RunError(
            f"result format is {number}; this version of seqtasks reads formats {' and '.join(map(str, READABLE))}; "
            "run it again with --force"
        )
    fields = dataclasses.fields(Row)
    missing = [f.name for f in fields if f.name not in values and f.default_factory is dataclasses.MISSING]
    if missing:
        raise DamagedRunError(f"the result row lacks {', '.join(missing)}; run it again")
    if number == 1 and isinstance(values["config"], Mapping) and isinstance(values["config"].get("options"), Mapping):
        values["config"] = {**values["config"], "options": with_present_names(values["config"]["options"])}
    try:
        return build(Row, {field.name: values[field.name] for field in fields if field.name in values})
    except ConfigError as error:
        raise DamagedRunError(f"damaged result row: {str(error).rpartition('; ')[0]}; run it again") from error


def write(row: Row, folder: Path) -> Path:
    """Writes `folder/result.json` whole or not at all, and returns its path.

    Raises:
        RunError: a value is not finite or not plain data, or the disk refuses.
    """
    text = json.dumps(_plain(row), indent=2, ensure_ascii=False) + "\n"
    path = folder / FILE
    try:
        write_text(path, text)
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror}; make room or choose another --runs folder") from error
    return path


def read(folder: Path) -> Row:
    """The row of one run folder.

    Raises:
        RunError: there is no readable result of this format.
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
    """The row of a finished run; None: there is none, or it is damaged, so that the run has to be made again.

    Raises:
        RunError: a result of another format, or one that cannot be read.
    """
    if not (folder / FILE).is_file():
        return None
    try:
        return read(folder)
    except DamagedRunError as error:
        logging.getLogger(__name__).warning("%s; making it again", str(error).rpartition(";")[0])
        return None


def rows(runs_dir: Path, task: str | None = None) -> list[Row]:
    """Every finished run below `runs_dir`, by task, cell and seed.

    Folders without a result are no results; a damaged one is logged as a warning.
    """
    loaded = []
    for path in sorted(Path(runs_dir).glob(f"*/{FILE}")):
        try:
            row = read(path.parent)
        except RunError as error:
            logging.getLogger(__name__).warning("passed over a damaged result: %s", error)
            continue
        if task is None or row.task == task:
            loaded.append(row)
    return sorted(loaded, key=lambda row: (row.task, row.cell, row.seed, row.run))


def baselines_of(row: Row, runs_dir: Path) -> list[Row]:
    """The baselines below `runs_dir` that were fitted on the data of a row."""
    return [
        other
        for other in rows(runs_dir, row.task)
        if other.kind == "baseline" and (other.source, other.fingerprint) == (row.source, row.fingerprint)
    ]


def _plain(row: Row) -> dict[str, Any]:
    values = dataclasses.asdict(row)
    for name, value in values.items():
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise RunError(
                f"the result's {name} is {value!r}; allowed: finite numbers and plain data; look at the loss"
            ) from error
    return {"format": FORMAT, **values}
