"""Arrays that are written block by block, to memory or to a file that is mapped afterwards."""

from __future__ import annotations

import hashlib
import mmap
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seqtasks.core.files import replace


class BlockArray:
    """An array that is collected block by block.

    Args:
        dtype: Of the array.
        shape: Sizes of the axes after the first.
        path: `.npy` file that the array is written to and mapped from; None: it is held in memory. The file
            appears in `finish`, so that a killed process leaves nothing that looks finished.
    """

    def __init__(self, dtype: Any, shape: Sequence[int] = (), path: Path | None = None):
        self.dtype, self.shape, self.path = np.dtype(dtype), tuple(shape), path
        self.count = 0
        self._blocks: list[np.ndarray] = []
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=f"{path.name}.", suffix=".tmp", dir=path.parent)
            self._temporary, self._file = Path(name), os.fdopen(handle, "wb")
            self._header(10**19)  # 20 digits leave the header as long as it is
            self._begin = self._file.tell()

    def append(self, block: np.ndarray) -> None:
        """Appends rows, (rows, *shape)."""
        block = np.ascontiguousarray(block, self.dtype)
        assert block.shape[1:] == self.shape
        self.count += len(block)
        if self.path is None:
            self._blocks.append(block)
        else:
            self._file.write(block)

    def finish(self) -> np.ndarray:
        """The whole array, read-only where it is mapped from its file."""
        if self.path is None:
            blocks, self._blocks = self._blocks, []
            return np.concatenate([np.zeros((0, *self.shape), self.dtype), *blocks])
        self._file.seek(0)
        self._header(self.count)
        assert self._file.tell() == self._begin
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        replace(self._temporary, self.path)
        return mapped(self.path)

    def discard(self) -> None:
        """Removes the unfinished file, if any."""
        if self.path is not None:
            self._file.close()
            self._temporary.unlink(missing_ok=True)

    def _header(self, count: int) -> None:
        facts = {"descr": self.dtype.str, "fortran_order": False, "shape": (count, *self.shape)}
        np.lib.format.write_array_header_1_0(self._file, facts)


def release(array: np.ndarray) -> None:
    """Gives the pages of a mapped array back to the system after it was read from end to end.

    They are read again where they are needed; until then they would count as memory of this process.
    """
    pages = getattr(array, "_mmap", None)
    if pages is not None and hasattr(mmap, "MADV_DONTNEED"):  # not on Windows
        pages.madvise(mmap.MADV_DONTNEED)


def blocks_of(array: np.ndarray, size: int = 4 << 20) -> Iterator[np.ndarray]:
    """Yields the rows of an array, some at once, and releases the pages of a mapped one that were read.

    Args:
        array: Of any shape.
        size: Number of bytes of a block, unless one row has more.
    """
    rows = max(1, size // max(1, array[:1].nbytes))
    for begin in range(0, len(array), rows):
        yield array[begin : begin + rows]
        release(array)


def row_hashes(array: np.ndarray) -> np.ndarray:
    """Hash of each row of an array, uint64 `(rows,)`.

    Equal rows have equal hashes, two others once in 10¹⁹ pairs.
    """
    digests = bytearray()
    for block in blocks_of(array):
        for row in block:
            digests += hashlib.blake2b(row.tobytes(), digest_size=8).digest()
    return np.frombuffer(bytes(digests), np.uint64)


def mapped(path: Path) -> np.ndarray:
    """The array of an `.npy` file, mapped into memory, read-only.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is damaged.
    """
    try:
        with np.errstate(over="ignore"):  # of the size in a damaged header
            array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError):
        raise
    except Exception as error:  # NumPy raises many types of errors for damaged files
        raise ValueError(f"{path} is no .npy file: {error}") from error
    return np.asanyarray(array)
