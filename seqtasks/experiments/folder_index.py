"""Index of a folder of runs: what was read from one file of each run, in one file beside the run folders.

Lists and tables over many runs would open a file for each. An entry of the index holds only while its file has the
modification time, the time of its last change of status, the size and the inode number that it had when it was read;
all others are read again. This module imports no Keras and no NumPy.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqtasks.core.files import write_text
from seqtasks.core.version import __version__

FORMAT = 1  # of the file
LEAST = 500  # runs, below which no index is written
CHANGED = 0.02  # fraction of entries that were read again, above which it is written again
RECENT = 2_000_000_000  # nanoseconds: a file that was changed so shortly before could change again unnoticed

Stamp = tuple[int, int, int, int]  # modification time, change of status, size, inode number


@dataclass(frozen=True)
class Packing:
    """How values are stored in an index.

    Attributes:
        version: Any text; an index of another version is not read.
        section: Function from a value to the name of its section; sections can be read alone.
        pack: Function from the values of a section to plain data.
        unpack: Inverse of `pack`.
    """

    version: str
    section: Callable[[Any], str]
    pack: Callable[[Sequence[Any]], Any]
    unpack: Callable[[Any], list[Any]]


def read_all(
    runs_dir: Path,
    file: str,
    read: Callable[[Path], Any],
    packing: Packing,
    sections: Callable[[str], bool] = lambda name: True,
) -> dict[str, Any]:
    """Reads a file of each run folder, those that are unchanged from the index.

    Args:
        runs_dir: Folder of all runs.
        file: Name of a file in a run folder; other folders are left out.
        read: Function from a run folder to the value of its file; None: it cannot be read, and is tried again.
        packing: How values are stored.
        sections: Function from the name of a section to whether its values are needed.

    Returns:
        Values by the name of the run folder, sorted; without those of sections that are not needed.
    """
    now = time.time_ns()
    stamps = _stamps(runs_dir, file)
    index = _Index.load(runs_dir / _name(file), packing) if len(stamps) >= LEAST else None
    known = {} if index is None else index.stamps
    fresh = {name: None for name, stamp in stamps.items() if known.get(name) != stamp}
    values: dict[str, Any] = {} if index is None else index.values(sections)
    values = {name: value for name, value in values.items() if name in stamps and name not in fresh}
    for name in sorted(fresh):
        fresh[name] = read(runs_dir / name)
    fresh = {name: value for name, value in fresh.items() if value is not None}
    if len(stamps) >= LEAST and len(fresh) + len(known.keys() - stamps.keys()) > CHANGED * len(stamps):
        kept = {} if index is None else index.values(lambda name: True)
        stored = {
            name: value
            for name, value in {**kept, **fresh}.items()
            if name in stamps
            and (name in fresh or known.get(name) == stamps[name])
            and max(stamps[name][:2]) < now - RECENT
        }
        _store(runs_dir / _name(file), stored, stamps, packing)
    values |= {name: value for name, value in fresh.items() if sections(packing.section(value))}
    return {name: values[name] for name in sorted(values)}


def _name(file: str) -> str:
    return f".index-{Path(file).stem}.json"


def _stamps(runs_dir: Path, file: str) -> dict[str, Stamp]:
    """State of the file of each run folder that has one."""
    stamps: dict[str, Stamp] = {}
    with contextlib.suppress(OSError), os.scandir(runs_dir) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                state = os.stat(f"{entry.path}{os.sep}{file}")  # noqa: PTH116, a path object takes as long again
                stamps[entry.name] = (state.st_mtime_ns, state.st_ctime_ns, state.st_size, state.st_ino)
    return stamps


class _Index:
    """An index that was loaded; its sections are parsed when they are asked for."""

    def __init__(
        self, names: list[str], stamps: list[Stamp], sections: Mapping[str, tuple[int, str]], packing: Packing
    ):
        self.names, self.sections, self.packing = names, sections, packing
        self.stamps = dict(zip(names, stamps, strict=True))

    @classmethod
    def load(cls, path: Path, packing: Packing) -> _Index | None:
        """Loads an index; None: there is none, it is damaged, or it is of another version."""
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
            text = path.read_text(encoding="utf-8")
            body, _, digest = text.removesuffix("\n").rpartition("\n")
            if digest != _digest(body):
                return None
            first, names, stamps, *sections = body.split("\n")
            header = json.loads(first)
            if header["key"] != _key(packing):
                return None
            numbers = iter(json.loads(stamps))
            parts = {name: (count, part) for (name, count), part in zip(header["sections"], sections, strict=True)}
            return cls(json.loads(names), list(zip(numbers, numbers, numbers, numbers, strict=True)), parts, packing)
        return None

    def values(self, sections: Callable[[str], bool]) -> dict[str, Any]:
        """Values of some sections by the name of their run folder."""
        values: dict[str, Any] = {}
        begin = 0
        for name, (count, part) in self.sections.items():
            if sections(name):
                unpacked = self.packing.unpack(json.loads(part))
                values |= zip(self.names[begin : begin + count], unpacked, strict=True)
            begin += count
        return values


def _store(path: Path, values: Mapping[str, Any], stamps: Mapping[str, Stamp], packing: Packing) -> None:
    names: dict[str, list[str]] = {}
    for name in sorted(values):
        names.setdefault(packing.section(values[name]), []).append(name)
    header = {"key": _key(packing), "sections": [[section, len(members)] for section, members in names.items()]}
    order = [name for members in names.values() for name in members]
    parts = [
        header,
        order,
        [number for name in order for number in stamps[name]],
        *(packing.pack([values[name] for name in members]) for members in names.values()),
    ]
    # A folder that cannot be written: the files are read again the next time. No number is infinite in a value that
    # was read, but if one is, there is no index either.
    with contextlib.suppress(OSError, ValueError, TypeError):
        body = "\n".join(json.dumps(part, allow_nan=False) for part in parts)
        write_text(path, f"{body}\n{_digest(body)}\n")


def _key(packing: Packing) -> list[Any]:
    return [FORMAT, __version__, packing.version]


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def shared(values: Iterable[Any]) -> tuple[list[Any], list[int]]:
    """Distinct values, and the index of each value among them; values are compared by their JSON.

    Args:
        values: Plain data.

    Example:
        >>> shared([{"a": 1}, {"b": 2}, {"a": 1}])
        ([{'a': 1}, {'b': 2}], [0, 1, 0])
    """
    distinct: dict[str, int] = {}
    kept, numbers = [], []
    for value in values:
        text = json.dumps(value)
        if text not in distinct:
            distinct[text] = len(kept)
            kept.append(value)
        numbers.append(distinct[text])
    return kept, numbers
