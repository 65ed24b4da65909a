"""Shell completion of values: tasks, cells, settings, run folders and files.

Nothing imports Keras, and each function imports what it needs, as the answer should come at once.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TABLE = Path(__file__).parent / "templates" / "completion.json"
Candidates = Iterator[tuple[str, str]]  # words and their descriptions
Values = Callable[["Line", str], Candidates]


@dataclass
class Line:
    """The words before the one to complete.

    Attributes:
        command: Name of the command.
        arguments: Its arguments.
        options: Values of its options, by the names of their parameters.
    """

    command: str
    arguments: list[str] = field(default_factory=list)
    options: dict[str, str] = field(default_factory=dict)

    @property
    def task(self) -> str | None:
        """Name or file of the task, if there is one."""
        return next((text for text in self.arguments if "=" not in text), None)


@functools.cache
def stored() -> dict[str, Any]:
    """The stored table of `completion.table`."""
    return dict(json.loads(TABLE.read_text(encoding="utf-8")))


def paths(word: str, suffixes: Sequence[str] | None = None, complete: str | None = None) -> Candidates:
    """Yields files and folders; folders end in a slash.

    Args:
        word: Beginning of a path; `~` is the home folder.
        suffixes: Suffixes of the files, none for folders only; None: any file.
        complete: Name of a file. A folder that has it does not end in a slash.
    """
    folder, slash, name = word.rpartition("/")
    entries: list[Path] = []
    with contextlib.suppress(OSError, RuntimeError):  # there is no such folder, or no such user after ~
        entries = sorted(Path(folder + slash or ".").expanduser().iterdir())
    for path in entries:
        hidden = path.name.startswith(".") and not name.startswith(".")
        if not path.name.startswith(name) or hidden:
            continue
        if path.is_dir():
            is_complete = complete is not None and (path / complete).is_file()
            yield f"{folder}{slash}{path.name}{'' if is_complete else '/'}", ""
        elif suffixes is None or path.name.endswith(tuple(suffixes)):
            yield f"{folder}{slash}{path.name}", ""


def _python_files(word: str) -> Candidates:
    """Yields files that begin with a word, and the folders on the way if the word is a path."""
    for path, about in paths(word, (".py",)) if word else ():
        if "/" in word or not path.endswith("/"):
            yield path, about


def _names(kind: str) -> Candidates:
    """Yields the names of all tasks or cells, bundled and of other packages."""
    from importlib import metadata

    yield from stored()[kind].items()
    yield from ((point.name, "Of another package") for point in metadata.entry_points(group=f"seqtasks.{kind}s"))


def _tasks(line: Line, word: str) -> Candidates:
    yield from _names("task")
    yield from _python_files(word)


def _tasks_or_cell(line: Line, word: str) -> Candidates:
    yield "cell", "Describe a cell"
    yield from _tasks(line, word)


def _cells(line: Line, word: str) -> Candidates:
    if line.command == "compare":
        yield "all", "Every cell"
    yield from _names("cell")
    yield from _python_files(word)


def _matches(line: Line, word: str) -> Candidates:
    yield from ((f"{name}:", about) for name, about in _names("cell"))


def _sources(line: Line, word: str) -> Candidates:
    from seqtasks.core import plugins

    facts = plugins.declared(line.task or "")
    tfds = facts.get("tfds") or ()
    names = [tfds] if isinstance(tfds, str) else tfds
    yield "auto", "Prepared data, download or built-in set"
    yield from ((f"tfds:{name}", "A set of tensorflow-datasets") for name in names)
    if facts.get("builtin", True):
        yield "builtin", str(facts.get("builtin") or "")
    files = facts.get("files", "any")
    if files and not word.startswith("files:"):
        yield "files:", "Your own data"
    elif files:
        inside = paths(word.removeprefix("files:"), None if files == "any" else ())
        yield from ((f"files:{path}", about) for path, about in inside)


def _settings(line: Line, word: str) -> Candidates:
    """Yields keys such as `encoder.units=`, or after the `=` values."""
    yield from _of_properties(_properties(line.task), line, word)


def _cell_or_settings(line: Line, word: str) -> Candidates:
    yield from _cells(line, word) if line.task == "cell" else _settings(line, word)


def _tasks_and_filters(line: Line, word: str) -> Candidates:
    if "=" not in word:
        yield from _tasks(line, word)
    if line.task is not None:
        yield from _settings(line, word)


def _keys(line: Line, word: str) -> Candidates:
    """Yields settings without values, separated by commas."""
    head, comma, last = word.rpartition(",")
    for key, about in _of_properties(_properties(line.task), line, last):
        yield f"{head}{comma}{key.removesuffix('=')}", about


def _shapes(line: Line, word: str) -> Candidates:
    from seqtasks.bench.shapes import SHAPES, Shape
    from seqtasks.core import schema

    if not line.arguments and "=" not in word:
        yield from ((name, "Shape of the model") for name in SHAPES)
    yield from _of_properties(schema.group(Shape)["properties"], line, word)


def _contenders(line: Line, word: str) -> Candidates:
    from seqtasks.bench.contenders import NAMES

    head, comma, _ = word.rpartition(",")
    yield from ((f"{head}{comma}{name}", about) for name, about in NAMES.items() if name not in head.split(","))


def _executors(line: Line, word: str) -> Candidates:
    yield "local", "This machine"
    yield "ray", "This machine, through Ray"
    yield "ray:auto", "The Ray cluster that this machine belongs to"
    yield "ray=", "The Ray cluster at HOST:PORT"


def _configs(line: Line, word: str) -> Candidates:
    from seqtasks.core.config_files import bundled, command_line

    yield from ((name, command_line(path)) for name, path in bundled().items())
    yield from paths(word, (".yaml", ".yml")) if word else ()


def _runs(line: Line, word: str) -> Candidates:
    """Yields names of run folders, and paths of folders."""
    with contextlib.suppress(OSError):  # there is no such folder yet
        for path in sorted(_runs_folder(line).iterdir()):
            if (path / "run.json").is_file():
                yield path.name, "finished" if (path / "result.json").is_file() else "not finished"
    yield from paths(word, (), "run.json") if word else ()


def _task_types(line: Line, word: str) -> Candidates:
    from seqtasks.cli.scaffold import task_types

    yield from ((name, "") for name in task_types())


def _files(line: Line, word: str) -> Candidates:
    yield from paths(word)


def _folders(line: Line, word: str) -> Candidates:
    yield from paths(word, ())


def predict_options(line: Line) -> dict[str, Any]:
    """Schemas of the options `--name` that `seqtasks predict` has for the task of a run.

    Args:
        line: The words before; the first argument is the run.
    """
    folders = [Path(line.arguments[0]), _runs_folder(line) / line.arguments[0]] if line.arguments else []
    for file in (folder / "run.json" for folder in folders):
        if file.is_file():
            task = str(json.loads(file.read_text(encoding="utf-8"))["task"])
            options = _present(_schema(task)["$defs"].get("predict", {}))
            return {f"--{name.replace('_', '-')}": about for name, about in options.items()}
    return {}


def of_type(about: Mapping[str, Any], value: str) -> Candidates:
    """Yields the values that the schema of a setting allows, or files if it is text.

    Args:
        about: Schema of the setting.
        value: Beginning of the value.
    """
    types = about.get("type", ())
    names = [*about.get("enum", ()), *((True, False) if "boolean" in types else ())]
    names += [None] if "null" in types else []
    yield from ((name if isinstance(name, str) else json.dumps(name), "") for name in names)
    if value and types in ("string", ["string", "null"]):
        yield from paths(value)


def _runs_folder(line: Line) -> Path:
    return Path(line.options.get("runs") or os.environ.get("SEQTASKS_RUNS") or "runs").expanduser()


def _schema(task: str | None) -> dict[str, Any]:
    """The stored schema of a bundled task; of another task only the names of options are known before its import."""
    from seqtasks.core.config_files import schema_file

    stored = task is None or ("/" not in task and schema_file(task).is_file())
    made: dict[str, Any] = json.loads(schema_file(task if task and stored else "base").read_text(encoding="utf-8"))
    if task is not None and not stored:
        from seqtasks.core import plugins

        made["$defs"]["options"]["properties"] = {name: {} for name in plugins.declared(task).get("options", ())}
    return made


def _present(group: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a group without former names."""
    return {name: about for name, about in group.get("properties", {}).items() if not about.get("deprecated")}


def _properties(task: str | None) -> dict[str, Any]:
    """Schemas of all settings by dotted key, and descriptions of the groups, such as `encoder.`."""
    made = _schema(task)
    flat: dict[str, Any] = {"seed": made["properties"]["seed"]}
    for group in ("data", "encoder", "train", "options"):
        about = made["$defs"][group]
        flat[f"{group}."] = {"description": about["description"]}
        flat |= {f"{group}.{name}": one for name, one in _present(about).items()}
    return flat


def _of_properties(properties: Mapping[str, Any], line: Line, word: str) -> Candidates:
    """Yields `key=` or, after the sign, `key=value`; in `compare` and `tune`, several values separated by commas.

    Args:
        properties: Schemas by key; a key that ends in a dot is a group.
        line: The words before.
        word: The word to complete.
    """
    key, sign, value = word.partition("=")
    if not sign:
        for name, about in properties.items():
            if name.startswith(key) and not name.endswith("."):
                rest, dot, _ = name[len(key) :].partition(".")
                whole = f"{key}{rest}{dot}"
                end = "" if dot else "." if about.get("type") == "object" else "="
                yield whole + end, str(properties.get(whole, about).get("description", ""))
        return
    head, comma, last = value.rpartition(",") if line.command in ("compare", "tune") else ("", "", value)
    values = _SETTINGS[key](line, last) if key in _SETTINGS else of_type(properties.get(key, {}), last)
    yield from ((f"{key}={head}{comma}{one}", about) for one, about in values if one not in head.split(","))


def _runs_tasks_and_filters(line: Line, word: str) -> Candidates:
    """Yields run folders, tasks, and filters `key=value`."""
    yield from _runs(line, word)
    yield from _tasks_and_filters(line, word)


def _trackers(line: Line, word: str) -> Candidates:
    """Yields names of trackers in brackets."""
    from seqtasks.core import plugins

    yield from ((f"[{entry.name}]", str(entry.about.get("summary", ""))) for entry in plugins.trackers.entries())


_SETTINGS: dict[str, Values] = {
    "encoder.cell": _cells,
    "encoder.match": _matches,
    "data.source": _sources,
    "data.tfds_dir": _folders,
    "train.trackers": _trackers,
}
# Values of parameters, by the name of the parameter, or by those of command and parameter. Choices need no entry.
VALUES: dict[str, Values] = {
    "task": _tasks,
    "overrides": _settings,
    "config": _configs,
    "run": _runs,
    "runs": _folders,
    "folder": _folders,
    "file": _files,
    "out": _files,
    "look.out": _folders,
    "accelerate.model": _files,
    "new.data": _files,
    "input": _files,
    "markdown": _files,
    "picture": _files,
    "inputs": _files,
    "by": _keys,
    "per": _keys,
    "on": _executors,
    "task_type": _task_types,
    "contenders": _contenders,
    "compare.report": _files,
    "compare.plot": _files,
    "report.words": _runs_tasks_and_filters,
    "show.task": _tasks_or_cell,
    "show.words": _cell_or_settings,
    "table.words": _tasks_and_filters,
    "bench.words": _shapes,
    "unpack.archive": _files,
}
