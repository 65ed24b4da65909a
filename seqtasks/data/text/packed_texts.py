"""Sequences of texts and of labels in arrays, which may be mapped from files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, overload

import numpy as np

from seqtasks.core.arrays import IntArray
from seqtasks.data.block_files import BlockArray, release
from seqtasks.data.cache import Blocks
from seqtasks.data.ragged_files import collect
from seqtasks.data.text.stored_sequence import StoredSequence

ROWS = 4096  # texts that are decoded at once
_ERRORS = "surrogatepass"  # lone surrogates of texts that are not from files


class PackedTexts(StoredSequence[str]):
    """A sequence of texts, stored as their UTF-8 bytes one after the other.

    A choice of texts copies no bytes. While iterating, the pages of a mapped file that were read are released.

    Args:
        values: Bytes of all stored texts, uint8 `(bytes,)`.
        ends: Index in `values` after the last byte of each stored text, `(stored,)`.
        rows: Indices of the texts of this sequence among the stored ones; None: all.

    Example:
        >>> from seqtasks.data.text.packed_texts import PackedTexts
        >>> texts = PackedTexts.of(["ein", "größeres", "Wort"])
        >>> texts[1], list(texts[[2, 0]]), len(texts.values)
        ('größeres', ['Wort', 'ein'], 17)
    """

    def __init__(self, values: np.ndarray, ends: IntArray, rows: IntArray | None = None):
        self.values, self.ends, self.rows = values, ends, rows

    @classmethod
    def of(cls, texts: Iterable[str], key: str | None = None) -> PackedTexts:
        """Packs texts in memory or in the cache.

        Args:
            texts: The texts; with a key an object that can be iterated twice.
            key: Key of the texts in the cache, see `ragged_files.collect`; None: in memory.
        """
        encode = partial(str.encode, encoding="utf-8", errors=_ERRORS)
        packed = collect(lambda: (np.frombuffer(encode(text), np.uint8) for text in texts), np.uint8, key)
        return cls(packed.values, packed.ends)

    def __len__(self) -> int:
        return len(self.ends if self.rows is None else self.rows)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice | Sequence[int] | IntArray) -> PackedTexts: ...
    def __getitem__(self, index: Any) -> str | PackedTexts:
        """One text, or those of a slice or of an array of indices."""
        if isinstance(index, int | np.integer):
            row = range(len(self))[index]  # raises IndexError
            return self._bytes(row, row + 1)[0].decode("utf-8", _ERRORS)
        return PackedTexts(
            self.values, self.ends, np.arange(len(self))[index] if self.rows is None else self.rows[index]
        )

    def __iter__(self) -> Iterator[str]:
        for block in self.blocks():
            yield from (data.decode("utf-8", _ERRORS) for data in block)

    def blocks(self) -> Iterator[list[bytes]]:
        """Yields the UTF-8 bytes of the texts, some thousand texts at once."""
        for begin in range(0, len(self), ROWS):
            yield self._bytes(begin, begin + ROWS)
            release(self.values)
            release(self.ends)

    @property
    def size(self) -> int:
        """Number of UTF-8 bytes of all texts."""
        return int(sum(int((end - begin).sum()) for begin, end in self._bounds()))

    def digests(self) -> np.ndarray:
        """Hash of each text, uint64 `(texts,)`.

        Equal texts have equal hashes, two others once in 10¹⁹ pairs.
        """
        hashes = (b"".join(hashlib.blake2b(data, digest_size=8).digest() for data in block) for block in self.blocks())
        return np.frombuffer(b"".join(hashes), np.uint64)

    def joined(self, separator: bytes = b"\0") -> Blocks:
        """The bytes of all texts with a separator between two of them, for `cache.fingerprint`."""
        return _joined(self.blocks, self.size, len(self), separator)

    def _bounds(self, begin: int = 0, stop: int | None = None) -> Iterator[tuple[IntArray, IntArray]]:
        """Begins and ends of the bytes of some texts, some thousand texts at once."""
        stop = len(self) if stop is None else min(stop, len(self))
        for first in range(begin, stop, ROWS):
            last = min(first + ROWS, stop)
            if self.rows is None:
                ends = np.asarray(self.ends[first:last])
                before = int(self.ends[first - 1]) if first else 0
                yield np.concatenate([[before], ends[:-1]]).astype(np.int64), ends
            else:
                rows = self.rows[first:last]
                yield np.where(rows > 0, self.ends[rows - 1], 0), np.asarray(self.ends[rows])

    def _bytes(self, begin: int, stop: int) -> list[bytes]:
        return [
            self.values[a:b].tobytes()
            for begins, ends in self._bounds(begin, stop)
            for a, b in zip(begins.tolist(), ends.tolist(), strict=True)
        ]


class TextWriter:
    """Packs texts one by one, in memory or into two files that are mapped afterwards.

    Args:
        file: Function from `"bytes"` and `"ends"` to the path of the `.npy` file; None: in memory.
    """

    def __init__(self, file: Callable[[str], Path] | None = None):
        self._values = BlockArray(np.uint8, path=file and file("bytes"))
        self._ends = BlockArray(np.int64, path=file and file("ends"))
        self._block: list[bytes] = []
        self._end = 0

    def append(self, text: str) -> None:
        """Appends a text."""
        self._block.append(text.encode("utf-8", _ERRORS))
        if len(self._block) == ROWS:
            self._flush()

    def finish(self) -> PackedTexts:
        """All texts."""
        self._flush()
        return PackedTexts(self._values.finish(), self._ends.finish())

    def discard(self) -> None:
        """Removes unfinished files, if any."""
        self._values.discard()
        self._ends.discard()

    def _flush(self) -> None:
        self._values.append(np.frombuffer(b"".join(self._block), np.uint8))
        ends = self._end + np.cumsum([len(data) for data in self._block], dtype=np.int64)
        self._ends.append(ends)
        self._end = int(ends[-1]) if len(ends) else self._end
        self._block = []


@dataclass(frozen=True, eq=False)
class Labels(StoredSequence[str]):
    """A label for each example, stored as numbers.

    Attributes:
        names: All names, in any order; some may have no example.
        numbers: Number of the label of each example, `(examples,)`.

    Example:
        >>> from seqtasks.data.text.packed_texts import Labels
        >>> labels = Labels.of(["up", "down", "up"])
        >>> list(labels), labels.used, labels.numbered(["down", "up"])
        (['up', 'down', 'up'], ['down', 'up'], array([1, 0, 1]))
    """

    names: list[str]
    numbers: IntArray

    @classmethod
    def of(cls, labels: Iterable[str]) -> Labels:
        """Numbers labels in the order in which they first occur."""
        numbers: dict[str, int] = {}
        codes = np.fromiter((numbers.setdefault(label, len(numbers)) for label in labels), np.int32)
        return cls(list(numbers), codes)

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice | Sequence[int] | IntArray) -> Labels: ...
    def __getitem__(self, index: Any) -> str | Labels:
        """One label, or those of a slice or of an array of indices."""
        if isinstance(index, int | np.integer):
            return self.names[self.numbers[index]]
        return Labels(self.names, self.numbers[index])

    @property
    def used(self) -> list[str]:
        """Names with an example, sorted."""
        return sorted(self.names[number] for number in np.unique(self.numbers))

    def numbered(self, names: Sequence[str]) -> IntArray:
        """Number of the label of each example among other names, int64 `(examples,)`.

        Args:
            names: Names that include all used ones.
        """
        index = {name: number for number, name in enumerate(names)}
        return np.array([index.get(name, -1) for name in self.names], np.int64)[self.numbers]

    def joined(self) -> Blocks:
        """The bytes of all labels with a zero byte between two of them, for `cache.fingerprint`."""
        encoded = [name.encode("utf-8", _ERRORS) for name in self.names]
        lengths = np.array([len(data) for data in encoded], np.int64)

        def blocks() -> Iterator[list[bytes]]:
            for begin in range(0, len(self), ROWS):
                yield [encoded[number] for number in self.numbers[begin : begin + ROWS].tolist()]

        return _joined(blocks, int(lengths[self.numbers].sum()), len(self), b"\0")


def pair_digests(first: PackedTexts, second: PackedTexts) -> np.ndarray:
    """A hash of each pair of texts, uint64 `(texts,)`, see `PackedTexts.digests`."""
    return first.digests() * np.uint64(0x9E3779B97F4A7C15) ^ second.digests()  # an odd factor loses nothing


def _joined(blocks: Callable[[], Iterator[list[bytes]]], length: int, count: int, separator: bytes) -> Blocks:
    """Rows of bytes with a separator between two of them.

    Args:
        blocks: Function that yields the rows, several at once.
        length: Number of bytes of all rows.
        count: Number of rows.
        separator: One byte.
    """

    def arrays() -> Iterator[np.ndarray]:
        for number, block in enumerate(blocks()):
            yield np.frombuffer(separator * (number > 0) + separator.join(block), np.uint8)

    return Blocks(np.dtype(np.uint8), length + max(0, count - 1), arrays())
