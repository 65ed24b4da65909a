"""List of the runs in a folder, finished or not: what `seqtasks list runs` prints."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqtasks.core.errors import RunError
from seqtasks.experiments import folder_index, run_folder
from seqtasks.experiments.folder_index import Packing
from seqtasks.experiments.run_folder import Run


@dataclass(frozen=True)
class ListedRun:
    """A run in a list.

    Attributes:
        path: Path of the run folder.
        source: Text of the data source.
        status: State of the run, see `Run.status`.
    """

    path: str
    source: str
    status: str


def list_runs(runs_dir: Path) -> list[ListedRun]:
    """Lists all readable run folders, finished or not, sorted by name.

    Args:
        runs_dir: Folder of all runs.
    """
    sources = folder_index.read_all(
        runs_dir,
        "run.json",
        _source,
        Packing(f"sources {run_folder.FORMAT}", lambda source: "all", folder_index.shared, _unpack),
    )
    folder = f"{runs_dir / 'x'}".removesuffix("x")
    runs = []
    for name, source in sources.items():
        path = f"{folder}{name}"
        finished = os.path.isfile(f"{path}{os.sep}result.json")  # noqa: PTH113, path objects take three times as long
        runs.append(ListedRun(path, source, "finished" if finished else Run(Path(path), {}).status()))
    return runs


def _source(folder: Path) -> str | None:
    with contextlib.suppress(RunError):
        return str(run_folder.open_run(folder).facts.get("source", ""))
    return None


def _unpack(data: Any) -> list[str]:
    distinct, numbers = data
    return [distinct[number] for number in numbers]
