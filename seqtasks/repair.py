"""How a run folder that has lost a file is made whole: the command, and what tells that a file is still right."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seqtasks.config import Config
from seqtasks.settings import flatten

REPAIR = "run it once more with the settings it was made with: seqtasks run writes the file again"


def run_again(folder: Path, task: str, cell: Path | None = None) -> str:
    """The command that runs again what a folder was made with.

    Args:
        folder: of the run; its `config.yaml` is there.
        task: its name, or the path of its file.
        cell: the file of a cell that was given as a file.
    """
    settings = [] if cell is None else [f"encoder.cell={cell}"]
    where = [] if folder.parent == Path("runs") else ["--runs", str(folder.parent)]
    return shlex.join(["seqtasks", "run", task, *settings, "--config", str(folder / "config.yaml"), *where])


def same_result(config: Config, values: Mapping[str, Any]) -> bool:
    """Whether stored values agree with a configuration in every setting that can change a result.

    Args:
        config: resolved.
        values: nested mappings, as read from `config.yaml`.
    """
    expected = config.to_dict()
    keys = [key for key, _, field in flatten(config) if field.metadata.get("identity", True)]
    return all(_value(expected, key) == _value(values, key) for key in keys)


def _value(values: Any, key: str) -> Any:
    for part in key.split("."):
        values = values.get(part) if isinstance(values, Mapping) else None
    return values
