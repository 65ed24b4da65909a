"""Suites: names for several tasks that cells are compared on, from configs/suites.yaml."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from seqtasks.core import plugins
from seqtasks.core.config import split_override
from seqtasks.core.config_files import SUITES, read_yaml
from seqtasks.core.errors import UnknownNameError, nearest


@dataclass(frozen=True)
class Column:
    """A task of a suite.

    Attributes:
        name: Name of the column, unique in the suite.
        task: Name of the task.
        settings: Settings of the task as `key=value`.
        ceiling: Best possible score; None: not known.
    """

    name: str
    task: str
    settings: tuple[str, ...]
    ceiling: float | None

    def overrides(self, given: Sequence[str]) -> list[str]:
        """The settings of the column that are not given for all tasks, then the given ones.

        Example:
            >>> Column("S3", "permutations", ("options.size=3",), 1.0).overrides(["seed=0,1"])
            ['options.size=3', 'seed=0,1']
        """
        keys = {split_override(text)[0] for text in given}
        return [text for text in self.settings if split_override(text)[0] not in keys] + list(given)


@dataclass(frozen=True)
class Suite:
    """Several tasks under one name.

    Attributes:
        name: Name of the suite.
        summary: What its tasks test.
        columns: The tasks.
    """

    name: str
    summary: str
    columns: tuple[Column, ...]


def suites() -> dict[str, Suite]:
    """The suites by name.

    Example:
        >>> suites()["probes"].columns[0].name
        'parity'
    """
    loaded = read_yaml(Path(str(resources.files("seqtasks.configs"))) / f"{SUITES}.yaml")
    made = {}
    for name, facts in loaded.items():
        columns = []
        for column, text in facts["columns"].items():
            task, *settings = str(text).split()
            columns.append(Column(column, task, tuple(settings), facts.get("ceiling")))
        made[name] = Suite(name, facts["summary"], tuple(columns))
    return made


def suite_of(name: str) -> Suite | None:
    """The suite of a name; None if a task has the name, or a file is meant.

    Raises:
        UnknownNameError: Neither a suite nor a task has the name; the message has the three nearest names.
    """
    known = suites()
    if name in known:
        return known[name]
    if "/" not in name and not name.endswith(".py") and name not in plugins.tasks:
        raise UnknownNameError(
            f"unknown task or suite {name!r}; the nearest: {_listed(nearest(name, [*known, *plugins.tasks.names()]))}; "
            f"suites: {_listed(known)}; see `seqtasks list tasks`"
        )
    return None


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
