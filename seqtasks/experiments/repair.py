"""Repair of run folders with missing or damaged files."""

from __future__ import annotations

import contextlib
import dataclasses
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from seqtasks.core.aliases import with_present_names, with_present_train
from seqtasks.core.config import Config
from seqtasks.core.errors import RunError
from seqtasks.core.parsing import parse_yaml
from seqtasks.core.settings import flatten

REPAIR = "repeat seqtasks run with the same settings, which writes the file again"


def run_again(folder: Path, task: str, cell: Path | None = None) -> str:
    """The command that repeats the run of a folder.

    Args:
        folder: Run folder with its `config.yaml`.
        task: Name of the task, or path of its file.
        cell: File of the cell, for a cell that was given as a file.
    """
    settings = [] if cell is None else [f"encoder.cell={cell}"]
    where = [] if folder.parent == Path("runs") else ["--runs", str(folder.parent)]
    return shlex.join(["seqtasks", "run", task, *settings, "--config", str(folder / "config.yaml"), *where])


def advice(folder: Path) -> str:
    """Advice for a missing `run.json`: the command that writes it again, if the other files name the run."""
    with contextlib.suppress(RunError):
        values = stored_config(folder)
        task, encoder = values["task"], values["encoder"]
        file = folder / f"{task}.py"
        cell = folder / f"{encoder.get('cell') if isinstance(encoder, Mapping) else ''}.cell.py"
        again = run_again(folder, str(file if file.is_file() else task), cell if cell.is_file() else None)
        return f"this writes it again: {again}"
    return REPAIR


def stored_config(folder: Path) -> dict[str, Any]:
    """The resolved configuration of a run as nested mappings.

    Args:
        folder: Run folder.

    Raises:
        RunError: `config.yaml` is missing or damaged.
    """
    path = folder / "config.yaml"
    repair = f"{REPAIR} (result.json has the settings, too)"
    try:
        text = path.read_text(encoding="utf-8")
        values = parse_yaml(text)
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise RunError(f"cannot read {path}: {reason}; {repair}") from error
    if not isinstance(values, dict):
        raise RunError(f"{path} has no settings; {repair}")
    groups = {field.name for field in dataclasses.fields(Config)}
    if not text.endswith("\n") or not groups <= values.keys():
        raise RunError(f"{path} is cut off at its end; {repair}")
    if isinstance(values["options"], Mapping):
        values["options"] = with_present_names(values["options"])
    if isinstance(values["train"], Mapping):
        values["train"] = with_present_train(values["train"])
    return values


def same_result(config: Config, values: Mapping[str, Any]) -> bool:
    """Whether stored values equal a configuration in every setting that can change a result.

    Args:
        config: Resolved configuration.
        values: Nested mappings, as loaded from `config.yaml`.
    """
    expected = config.to_dict()
    fields = {key: field for key, _, field in flatten(config) if field.metadata.get("hashed", True)}
    absent = {key: field.metadata.get("absent") for key, field in fields.items()}
    return all(_value(expected, key) == _value(values, key, absent[key]) for key in fields)


def _value(values: Any, key: str, absent: Any = None) -> Any:
    for part in key.split("."):
        values = values.get(part) if isinstance(values, Mapping) else None
    return absent if values is None else values
