"""Finds the finished run of a repeated command without Keras and without its data.

A finished run stores in `request.json` a digest of its command and the state of its data. If one of
them differs now, or cannot be determined quickly, `recall` returns None, and the caller resolves the
run in full.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import itertools
import json
import platform
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from seqtasks.core import config_files
from seqtasks.core.errors import RunError
from seqtasks.core.files import write_text
from seqtasks.core.parsing import parse_json
from seqtasks.core.version import __version__
from seqtasks.data import cache
from seqtasks.data.network import network
from seqtasks.data.source import Source, data_dir, prepared_folder
from seqtasks.experiments import results, run_folder

FILE = "request.json"


def request_of(
    task: str, overrides: Sequence[str], config_file: str | None, task_file: Path | None, cell_file: Path | None = None
) -> str | None:
    """A digest of a command: arguments, configuration files, task and cell, version.

    Args:
        task: Name of the task, or path of its file.
        overrides: Settings as `key=value`.
        config_file: Value of `--config`.
        task_file: YAML file beside a task that is given as a file.
        cell_file: File of the cell, for a cell that is given as a file.

    Returns:
        The digest; None for a task of another package, whose files are unknown before it is imported.
    """
    module = Path(task) if task_file is not None else Path(str(resources.files("seqtasks.tasks"))) / f"{task}.py"
    if not module.is_file():
        return None
    files = [*config_files.paths(module.stem, config_file, task_file), module]
    files += [] if cell_file is None else [cell_file]
    texts = [path.read_text(encoding="utf-8") for path in files]
    keys = [text.partition("=")[0] for text in overrides]
    ordered = any(one == other or other.startswith(f"{one}.") for one, other in itertools.permutations(keys, 2))
    words = list(overrides) if ordered else sorted(overrides)  # where the order decides nothing
    return hashlib.sha256(json.dumps([__version__, task, words, texts]).encode()).hexdigest()[:16]


def remember(folder: Path, request: str, source: Source, asked: str, default: str | None) -> None:
    """Writes `request.json`, which `recall` reads, into the folder of a finished run.

    Args:
        folder: The run folder.
        request: Digest of the command, see `request_of`.
        source: Data source that was loaded.
        asked: Value of `data.source`.
        default: First tensorflow-datasets name of the task, which `data.source=auto` prefers; None: no name.
    """
    values = facts(request, source, asked, default)
    if values is not None:
        with contextlib.suppress(OSError):  # the file only saves time
            write_text(folder / FILE, json.dumps(values) + "\n")


def facts(request: str, source: Source, asked: str, default: str | None) -> dict[str, str | None] | None:
    """Facts by which `same_data` tells whether data has changed; None if only reading it would show.

    Args:
        request: Digest of the command, see `request_of`.
        source: Data source that was loaded.
        asked: Value of `data.source`.
        default: First tensorflow-datasets name of the task, which `data.source=auto` prefers; None: no name.
    """
    state = _state(source)
    if state is None:
        return None
    values: dict[str, str | None] = {"request": request, "kind": source.kind, "name": source.name, "state": state}
    return values | {"asked": asked, "folder": str(source.folder or ""), "default": default}


def recall(runs_dir: Path, request: str, tfds_dir: str | None) -> results.Row | None:
    """Loads the row of the finished run of the same command on the same data.

    Args:
        runs_dir: Folder of all runs.
        request: Digest of the command, see `request_of`.
        tfds_dir: Value of `data.tfds_dir`.

    Returns:
        The row; None if there is no such run, or if its data may have changed.
    """
    for path in sorted(runs_dir.glob(f"*/{FILE}")):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, RunError):
            values = parse_json(path.read_text(encoding="utf-8"))
            if values["request"] == request and same_data(values, tfds_dir) and _whole(path.parent):
                return results.read(path.parent)
    return None


def adopt(folder: Path, tfds_dir: str | None = None) -> None:
    """Makes `recall` know a run that another machine trained on equal data.

    `request.json` has the state of that machine's files; it is replaced by the state of those of this one.

    Args:
        folder: The run folder.
        tfds_dir: Value of `data.tfds_dir`.
    """
    path = folder / FILE
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        values = json.loads(path.read_text(encoding="utf-8"))
        place = data_dir(tfds_dir) if values["kind"] == "tfds" else values["folder"] and Path(values["folder"])
        state = _state(Source(values["kind"], values["name"], place or None))
        if state is None:
            path.unlink()
        else:
            write_text(path, json.dumps(values | {"folder": str(place or ""), "state": state}) + "\n")


def _whole(folder: Path) -> bool:
    """Whether all files of a run exist; a damaged run is repaired by running it in full.

    Raises:
        RunError: A file cannot be read.
    """
    run = run_folder.open_run(folder)
    run.config_values()
    return all(path.is_file() for path in run.copies)


def same_data(values: dict[str, Any], tfds_dir: str | None) -> bool:
    """Whether data has the state of what `facts` returned, by names, sizes and modification times of its files.

    Args:
        values: What `facts` returned.
        tfds_dir: Value of `data.tfds_dir`.
    """
    source = Source(values["kind"], values["name"], Path(values["folder"]) if values["folder"] else None)
    if source.kind == "tfds" and source.folder != data_dir(tfds_dir):
        return False
    if source.kind == "builtin" and values["asked"] == "auto" and values["default"] is not None:
        better = Source("tfds", values["default"], data_dir(tfds_dir))
        if prepared_folder(better) or cache.newest(f"{better} ") or network():
            return False
    if source.folder is None and source.kind != "builtin":  # a damaged request
        return False
    return _state(source) == values["state"]


def _state(source: Source) -> str | None:
    """A text that changes with the data of a source; None if only reading it would show."""
    if source.kind == "builtin":
        return f"Python {platform.python_version()}, scikit-learn {importlib.metadata.version('scikit-learn')}"
    if source.kind == "tfds":
        folder = prepared_folder(source)
        return None if folder is None else _stamp([folder / "dataset_info.json"])
    assert source.folder is not None
    paths = [source.folder] if source.folder.is_file() else sorted(p for p in source.folder.rglob("*") if p.is_file())
    return _stamp(paths)


def _stamp(paths: Sequence[Path]) -> str:
    """A digest of names, sizes and modification times of files."""
    facts = [(str(path), (stat := path.stat()).st_size, stat.st_mtime_ns) for path in paths]
    return hashlib.sha256(json.dumps(facts).encode("utf-8", "surrogatepass")).hexdigest()[:16]
