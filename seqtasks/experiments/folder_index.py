"""Index of a folder of runs: the contents of one file of each run, in one file.

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

from seqtasks.core.collector import paused_collector
from seqtasks.core.files import write_atomic
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


@paused_collector()
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
    path = runs_dir / f".index-{Path(file).stem}.json"
    known, values = _load(path, packing, sections) if len(stamps) >= LEAST else ({}, {})
    changed = sorted(name for name, stamp in stamps.items() if known.get(name) != stamp)
    for name in [name for name in values if known[name] != stamps.get(name)]:
        del values[name]
    fresh = {name: value for name in changed if (value := read(runs_dir / name)) is not None}
    if len(stamps) >= LEAST and len(fresh) + len(known.keys() - stamps.keys()) > CHANGED * len(stamps):
        known, kept = _load(path, packing, lambda name: True)
        kept = {name: value for name, value in kept.items() if known[name] == stamps.get(name)} | fresh
        settled = {name: kept[name] for name in sorted(kept) if max(stamps[name][:2]) < now - RECENT}
        _store(path, settled, stamps, packing)
    values |= {name: value for name, value in fresh.items() if sections(packing.section(value))}
    return {name: values[name] for name in sorted(values)}


def _stamps(runs_dir: Path, file: str) -> dict[str, Stamp]:
    """State of the file of each run folder that has one."""
    stamps: dict[str, Stamp] = {}
    begin, end, stat = f"{runs_dir}{os.sep}", f"{os.sep}{file}", os.stat
    try:
        with os.scandir(runs_dir) as entries:
            names = [entry.name for entry in entries]
    except OSError:
        return {}
    for name in names:
        try:
            state = stat(f"{begin}{name}{end}")  # a path object takes as long again
        except OSError:
            continue
        stamps[name] = (state.st_mtime_ns, state.st_ctime_ns, state.st_size, state.st_ino)
    return stamps


def _load(path: Path, packing: Packing, sections: Callable[[str], bool]) -> tuple[dict[str, Stamp], dict[str, Any]]:
    """Loads the states of all files and the values of some sections.

    Both are empty if the index is damaged or of another version.

    The first line of an index is a header with the length and the digest of each part, the second its digest. The
    parts follow: names of run folders, states of their files, and a part for each section.
    """
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, RecursionError), path.open("rb") as file:
        first, digest = file.readline(), file.readline()
        if digest.strip().decode() != _digest(first):
            return {}, {}
        header = json.loads(first)
        if header["key"] != _key(packing):
            return {}, {}

        def part(length: int, digest: str) -> Any:
            data = file.read(length)
            if _digest(data) != digest:
                raise ValueError("its digest is wrong")
            return json.loads(data)

        names, numbers = part(*header["names"]), iter(part(*header["stamps"]))
        stamps = dict(zip(names, zip(numbers, numbers, numbers, numbers, strict=True), strict=True))
        values: dict[str, Any] = {}
        begin = 0
        for section, count, length, digest in header["sections"]:
            if sections(section):
                values |= zip(names[begin : begin + count], packing.unpack(part(length, digest)), strict=True)
            else:
                file.seek(length, os.SEEK_CUR)
            begin += count
        return stamps, values
    return {}, {}


def _store(path: Path, values: Mapping[str, Any], stamps: Mapping[str, Stamp], packing: Packing) -> None:
    """Writes the index; a folder that cannot be written has none."""
    names: dict[str, list[str]] = {}
    for name in sorted(values):
        names.setdefault(packing.section(values[name]), []).append(name)
    order = [name for members in names.values() for name in members]
    contents = [
        order,
        [number for name in order for number in stamps[name]],
        *(packing.pack([values[name] for name in members]) for members in names.values()),
    ]
    with contextlib.suppress(OSError, ValueError, TypeError):  # of a value that is not plain or not finite
        parts = [json.dumps(content, allow_nan=False).encode() for content in contents]
        facts = [(len(part), _digest(part)) for part in parts]
        sections = [
            [section, len(members), *fact] for (section, members), fact in zip(names.items(), facts[2:], strict=True)
        ]
        header = {"key": _key(packing), "names": facts[0], "stamps": facts[1], "sections": sections}
        first = json.dumps(header).encode() + b"\n"
        data = b"".join([first, _digest(first).encode(), b"\n", *parts])
        write_atomic(path, lambda temporary: temporary.write_bytes(data))


def _key(packing: Packing) -> list[Any]:
    return [FORMAT, __version__, packing.version]


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def shared(values: Iterable[Any]) -> tuple[list[Any], list[int]]:
    """Distinct values by their JSON, and the index of each value among them.

    Args:
        values: Plain data.

    Example:
        >>> shared([{"a": 1}, {"b": 2}, {"a": 1}])
        ([{'a': 1}, {'b': 2}], [0, 1, 0])
    """
    distinct: dict[str, int] = {}
    kept: list[Any] = []
    numbers: list[int] = []
    for value in values:
        text = json.dumps(value)
        if text not in distinct:
            distinct[text] = len(kept)
            kept.append(value)
        numbers.append(distinct[text])
    return kept, numbers
