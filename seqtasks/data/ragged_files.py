"""Ragged arrays that are collected row by row, in memory or in mapped files of the cache."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seqtasks.core.files import write_text
from seqtasks.core.parsing import parse_json
from seqtasks.data.block_files import BlockArray, mapped, release
from seqtasks.data.bucketing import Ragged
from seqtasks.data.cache import cache_dir, file_of, stem_of

ROWS = 4096  # rows that are appended at once, at most
BYTES = 4 << 20  # and at most one row more than these
VERSION = 1  # of the entries in the cache
log = logging.getLogger(__name__)


def collect(
    rows: Callable[[], Iterable[np.ndarray]],
    dtype: Any = "int32",
    key: str | None = None,
    shape: Sequence[int] = (),
    facts: dict[str, Any] | None = None,
) -> Ragged:
    """Collects rows of numbers in a ragged array.

    If the cache cannot be written, the array is in memory, with a warning.

    Args:
        rows: Function that yields the rows, `(length, *shape)` each; not called if the cache has them.
        dtype: Data type of the values.
        key: Any text that contains everything that determines the rows: the array is kept in the cache and mapped;
            None: it is in memory.
        shape: Shape of a value.
        facts: Dictionary that `rows` fills with values for JSON; the cache keeps them, and they are filled in if it has
            the rows.

    Example:
        >>> from seqtasks.data.ragged_files import collect
        >>> collect(lambda: ([number] * number for number in range(3))).padded()
        array([[0, 0],
               [1, 0],
               [2, 2]], dtype=int32)
    """
    facts = {} if facts is None else facts
    if key is None:
        return _collect(rows(), dtype, shape, None)
    stem = stem_of("rows", json.dumps([VERSION, np.dtype(dtype).str, key, *([list(shape)] if shape else [])]))
    if (stored := _stored(stem, dtype, shape, facts)) is not None:
        return stored
    try:
        ragged = _collect(rows(), dtype, shape, stem)
        sizes = {"values": len(ragged.values), "rows": len(ragged)}
        write_text(file_of(stem, "facts"), json.dumps({**sizes, **({"more": facts} if facts else {})}))
        return ragged
    except OSError as error:
        log.warning(
            "converted data cannot be kept in %s (%s) and stays in memory; set SEQTASKS_CACHE to another folder",
            cache_dir(),
            error,
        )
        facts.clear()
        return _collect(rows(), dtype, shape, None)


def row_digests(ragged: Ragged) -> np.ndarray:
    """Hash of each row, uint64 `(rows,)`.

    Equal rows have equal hashes, two others once in 10¹⁹ pairs.
    """
    digests = bytearray()
    for begin in range(0, len(ragged), ROWS):
        part = ragged[begin : begin + ROWS]
        for row in np.split(part.values, part.ends[:-1]):
            digests += hashlib.blake2b(row.tobytes(), digest_size=8).digest()
        release(ragged.values)
    return np.frombuffer(bytes(digests), np.uint64)


def _collect(rows: Iterable[np.ndarray], dtype: Any, shape: Sequence[int], stem: Path | None) -> Ragged:
    values = BlockArray(dtype, shape, stem and file_of(stem, "values"))
    ends = BlockArray(np.int64, path=stem and file_of(stem, "ends"))
    try:
        end = 0
        for block in _blocks(rows, dtype):
            values.append(np.concatenate(block))
            ends.append(end + np.cumsum([len(row) for row in block], dtype=np.int64))
            end = values.count
        return Ragged(values.finish(), ends.finish())
    finally:
        values.discard()
        ends.discard()


def _blocks(rows: Iterable[np.ndarray], dtype: Any) -> Iterator[list[np.ndarray]]:
    block: list[np.ndarray] = []
    size = 0
    for row in rows:
        block.append(np.asarray(row, dtype))
        size += block[-1].nbytes
        if len(block) == ROWS or size >= BYTES:
            yield block
            block, size = [], 0
    if block:
        yield block


def _stored(stem: Path, dtype: Any, shape: Sequence[int], more: dict[str, Any]) -> Ragged | None:
    """The array in the cache; None: there is none, or it is damaged."""
    try:
        facts = parse_json(file_of(stem, "facts").read_text(encoding="utf-8"))
        ragged = Ragged(mapped(file_of(stem, "values")), mapped(file_of(stem, "ends")))
        intact = (facts["values"], facts["rows"]) == (len(ragged.values), len(ragged))
        if not intact or ragged.values.dtype != dtype or ragged.values.shape[1:] != tuple(shape):
            return None
        more.update(facts.get("more", {}))
        return ragged
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
