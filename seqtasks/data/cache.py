"""Cache of decoded arrays on disk.

One entry is one uncompressed `.npz` file in `cache_dir()`. It holds its own key, the
arrays, and their fingerprint.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import platformdirs

log = logging.getLogger(__name__)

# Names of entries and of unfinished ones: `clear` must not touch anything else in a shared folder.
ENTRY = re.compile(r".+-[0-9a-f]{16}\.(npz|npy|json)(\..+\.tmp)?")
PREFIX = "data/"  # keeps names of arrays apart from "key" and "fingerprint", and from arguments of np.savez


@dataclass(frozen=True)
class Arrays:
    """Named arrays and the fingerprint of their content."""

    arrays: dict[str, np.ndarray]
    fingerprint: str


def cache_dir() -> Path:
    """`$SEQTASKS_CACHE`, or the user's cache folder; it need not exist."""
    folder = os.environ.get("SEQTASKS_CACHE")
    return Path(folder).expanduser() if folder else platformdirs.user_cache_path("seqtasks")


def cached(key: str, make: Callable[[], dict[str, np.ndarray]]) -> Arrays:
    """The arrays stored under `key`; made, and stored, where there are none.

    A damaged entry is made anew. Where nothing can be written the arrays are returned
    all the same; both are told by a warning.

    Args:
        key: any text; everything that decides the content belongs into it.
        make: called without arguments at most once.

    Raises:
        TypeError: `make` returned an array of Python objects.
    """
    path = _path(key)
    if path.exists():
        try:
            return _read(path, key)
        # A damaged file can raise almost anything out of zipfile and NumPy.
        except Exception as error:
            log.warning("the cached data in %s cannot be read (%s); it is made anew", path, _line(error))
    arrays = make()
    result = Arrays(arrays, fingerprint(arrays))
    try:
        _write(path, key, result)
    except OSError as error:
        log.warning("the data cannot be cached in %s (%s); set SEQTASKS_CACHE to another folder", path.parent, error)
    return result


def fingerprint(arrays: Mapping[str, np.ndarray]) -> str:
    """16 hex digits of SHA-256 over names, dtypes, shapes and bytes, in the order of the names.

    Raises:
        TypeError: an array of Python objects, whose bytes say nothing.
    """
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = arrays[name]
        if array.dtype.hasobject:
            raise TypeError(f"array {name!r} holds Python objects; convert it to numbers or fixed-width text")
        digest.update(json.dumps([name, array.dtype.str, array.shape]).encode())
        digest.update(array.tobytes())
    return digest.hexdigest()[:16]


def has(key: str) -> bool:
    """Whether there is an entry for `key`."""
    return _path(key).is_file()


def newest(prefix: str) -> str | None:
    """The key of the youngest entry whose key starts with `prefix`."""
    entries: list[tuple[int, str]] = []
    for path in _entries():
        if path.suffix != ".npz":  # texts and their tokens
            continue
        try:
            with np.load(path, allow_pickle=False) as stored:
                key = str(stored["key"])
            entries.append((path.stat().st_mtime_ns, key))
        except Exception as error:
            log.debug("skipped %s: %s", path, error)
    return max(((time, key) for time, key in entries if key.startswith(prefix)), default=(0, None))[1]


def clear() -> int:
    """Removes every entry, finished or not; returns how many."""
    entries = _entries()
    for path in entries:
        path.unlink(missing_ok=True)
    return len(entries)


def _entries() -> list[Path]:
    folder = cache_dir()
    return [path for path in folder.iterdir() if ENTRY.fullmatch(path.name)] if folder.is_dir() else []


def _path(key: str) -> Path:
    readable = re.sub(r"[^A-Za-z0-9.]+", "-", key).strip("-.")[:60] or "data"
    return cache_dir() / f"{readable}-{hashlib.sha256(key.encode()).hexdigest()[:16]}.npz"


def _read(path: Path, key: str) -> Arrays:
    with np.load(path, allow_pickle=False) as stored:
        if str(stored["key"]) != key:
            raise ValueError(f"it belongs to {stored['key']}")
        arrays = {name.removeprefix(PREFIX): stored[name] for name in stored.files if name.startswith(PREFIX)}
        return Arrays(arrays, str(stored["fingerprint"]))


def _write(path: Path, key: str, result: Arrays) -> None:
    """Writes beside `path` and renames, so that a kill leaves nothing that looks finished."""
    path.parent.mkdir(parents=True, exist_ok=True)
    members = {PREFIX + name: array for name, array in result.arrays.items()}
    handle, name = tempfile.mkstemp(prefix=f"{path.name}.", suffix=".tmp", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, allow_pickle=False, key=key, fingerprint=result.fingerprint, **members)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
