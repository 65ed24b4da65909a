"""Cache of decoded arrays on disk.

Each entry is an uncompressed `.npz` file in `cache_dir()` with its key, the arrays and their fingerprint.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs

from seqtasks.core.files import replace, shown

if TYPE_CHECKING:  # importing it takes 0.1 s, and a finished run needs no array
    import numpy as np

log = logging.getLogger(__name__)

# File names of entries, finished or not. `clear` must not remove other files of a shared folder.
ENTRY = re.compile(r".+-[0-9a-f]{16}\.(npz|npy|json)(\..+\.tmp)?")
FINGERPRINT = re.compile(r"[0-9a-f]{16}")
PREFIX = "data/"  # so that no array has the name "key" or "fingerprint", or that of an argument of np.savez


@dataclass(frozen=True)
class Arrays:
    """Named arrays and the fingerprint of their content.

    Attributes:
        arrays: Arrays by name.
        fingerprint: Fingerprint of the arrays, see `fingerprint`.
    """

    arrays: dict[str, np.ndarray]
    fingerprint: str


@dataclass(frozen=True)
class Blocks:
    """Array in blocks, whose fingerprint needs no memory for all of it.

    Attributes:
        dtype: Data type of the array.
        length: Size of the first axis.
        blocks: The rows, in order.
        sizes: Sizes of the axes after the first.
    """

    dtype: np.dtype[Any]
    length: int
    blocks: Iterable[np.ndarray]
    sizes: tuple[int, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        return (self.length, *self.sizes)


def cache_dir() -> Path:
    """The cache folder: `$SEQTASKS_CACHE` or a subfolder of the user's cache folder; it may not exist yet."""
    folder = os.environ.get("SEQTASKS_CACHE")
    return Path(folder).expanduser() if folder else platformdirs.user_cache_path("seqtasks")


def cached(key: str, make: Callable[[], dict[str, np.ndarray]]) -> Arrays:
    """Returns the arrays stored under a key, or makes and stores them.

    A damaged entry is made again, with a warning. If the cache cannot be written, the arrays are
    returned with a warning.

    Args:
        key: Any text; it must contain everything that determines the content.
        make: Function without arguments that returns the arrays; called at most once.

    Raises:
        TypeError: `make` returned an array of Python objects.
    """
    path = _path(key)
    if path.exists():
        try:
            return _read(path, key)
        except Exception as error:  # zipfile and NumPy raise many types of errors for damaged files
            log.warning("the cached data in %s cannot be read (%s); it is made again", path, _line(error))
    arrays = make()
    result = Arrays(arrays, fingerprint(arrays))
    try:
        _write(path, key, result)
    except OSError as error:
        log.warning("the data cannot be cached in %s (%s); set SEQTASKS_CACHE to another folder", path.parent, error)
    return result


def fingerprint(arrays: Mapping[str, np.ndarray | Blocks]) -> str:
    """Fingerprint of named arrays: SHA-256 of names, types, shapes and bytes, 16 hex digits.

    The order of the dictionary does not matter.

    Args:
        arrays: Arrays by name; one that is not in memory can be given in blocks.

    Raises:
        TypeError: An array holds Python objects, whose bytes are addresses.

    Example:
        >>> import numpy as np
        >>> from seqtasks import fingerprint
        >>> fingerprint({"x": np.zeros((2, 3), "uint8")})
        '094077575e074b55'
    """
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = arrays[name]
        if array.dtype.hasobject:
            raise TypeError(
                f"array {name!r} holds Python objects; allowed: numbers or fixed-width text; convert it to one of them"
            )
        digest.update(json.dumps([name, array.dtype.str, array.shape]).encode())
        for block in array.blocks if isinstance(array, Blocks) else [array]:
            digest.update(block.tobytes())
    return digest.hexdigest()[:16]


def digest_of(path: Path) -> str:
    """SHA-256 of the bytes of a file, 16 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def has(key: str) -> bool:
    """Whether the cache has an entry for a key."""
    return _path(key).is_file()


def newest(prefix: str) -> str | None:
    """Key of the newest entry whose key starts with a prefix; None: there is none."""
    import numpy as np

    entries: list[tuple[int, str]] = []
    for path in _entries():
        if path.suffix != ".npz":  # a vocabulary or tokens, see `text.token_cache`
            continue
        try:
            with np.load(path, allow_pickle=False) as stored:
                key = str(stored["key"])
            entries.append((path.stat().st_mtime_ns, key))
        except Exception as error:
            log.debug("skipped %s: %s", path, error)
    return max(((time, key) for time, key in entries if key.startswith(prefix)), default=(0, None))[1]


def clear() -> int:
    """Removes all entries, finished or not, and returns their number."""
    entries = _entries()
    for path in entries:
        path.unlink(missing_ok=True)
    return len(entries)


def stem_of(name: str, key: str) -> Path:
    """Path in the cache, without suffix, that the files of a converted data set begin with.

    Args:
        name: Readable part of the names.
        key: Any text; it must contain everything that determines the content.
    """
    digest = hashlib.sha256(key.encode()).hexdigest()[:16]
    return cache_dir() / "".join(c if c.isalnum() or c in "-." else "-" for c in f"{name[:60]}-{digest}")


def file_of(stem: Path, what: str) -> Path:
    """One file of a converted data set; its name is one that `clear` removes.

    Args:
        stem: Path of `stem_of`.
        what: Name of an array, or `"facts"`, which is written last: a set without it is not finished.
    """
    digest = hashlib.sha256(f"{stem.name} {what}".encode()).hexdigest()[:16]
    return stem.with_name(f"{stem.name}-{what}-{digest}.{'json' if what == 'facts' else 'npy'}")


def _entries() -> list[Path]:
    folder = cache_dir()
    return [path for path in folder.iterdir() if ENTRY.fullmatch(path.name)] if folder.is_dir() else []


def _path(key: str) -> Path:
    readable = re.sub(r"[^A-Za-z0-9.]+", "-", key).strip("-.")[:60] or "data"
    return cache_dir() / f"{readable}-{hashlib.sha256(key.encode()).hexdigest()[:16]}.npz"


def _read(path: Path, key: str) -> Arrays:
    import numpy as np

    with np.load(path, allow_pickle=False) as stored:
        if str(stored["key"]) != key:
            raise ValueError("it is an entry for other data")  # a damaged key may have no valid characters
        arrays = {name.removeprefix(PREFIX): stored[name] for name in stored.files if name.startswith(PREFIX)}
        digest = str(stored["fingerprint"])
    texts = [
        array.astype(array.dtype.newbyteorder("="), copy=False) for array in arrays.values() if array.dtype.kind == "U"
    ]
    # NumPy makes strings of numbers that are no characters, and Python fails where such a string is used.
    if not FINGERPRINT.fullmatch(digest) or any(
        np.ascontiguousarray(text).view(np.uint32).max(initial=0) > sys.maxunicode for text in texts if text.itemsize
    ):
        raise ValueError("it has texts with invalid characters")
    return Arrays(arrays, digest)


def _write(path: Path, key: str, result: Arrays) -> None:
    """Writes a temporary file beside `path` and renames it, so that an interruption leaves no partial entry."""
    import numpy as np

    path.parent.mkdir(parents=True, exist_ok=True)
    members = {PREFIX + name: array for name, array in result.arrays.items()}
    handle, name = tempfile.mkstemp(prefix=f"{path.name}.", suffix=".tmp", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, allow_pickle=False, key=key, fingerprint=result.fingerprint, **members)
        replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _line(error: Exception) -> str:
    return shown(" ".join(str(error)[:10_000].split()), 300) or type(error).__name__
