"""Tagged sentences as numbers of words and tags in arrays, which may be mapped from files."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, overload

import numpy as np

from seqtasks.core.arrays import IntArray
from seqtasks.core.files import write_text
from seqtasks.core.parsing import parse_json
from seqtasks.data.block_files import BlockArray, mapped, release
from seqtasks.data.cache import Blocks, cache_dir, file_of, stem_of
from seqtasks.data.text.conll import Sentence
from seqtasks.data.text.stored_sequence import StoredSequence

ROWS = 4096  # sentences that are decoded at once
VERSION = 1  # of the entries in the cache
_ERRORS = "surrogatepass"  # lone surrogates of words that are not from files
log = logging.getLogger(__name__)


class PackedSentences(StoredSequence[Sentence]):
    """Sequence of tagged sentences, stored as numbers of distinct words and tags.

    A choice of sentences copies no numbers. While iterating, the pages of a mapped file that were read are released.

    Args:
        words: Distinct words, in the order of their numbers; some may not occur.
        tags: Distinct tags, likewise.
        word_numbers: Number of each word of all stored sentences, `(all words,)`.
        tag_numbers: Number of the tag of each word, `(all words,)`.
        ends: Index after the last word of each stored sentence, `(stored,)`.
        rows: Indices of the sentences of this sequence among the stored ones; None: all.

    Example:
        >>> from seqtasks.data.text.packed_sentences import PackedSentences
        >>> sentences = PackedSentences.of([(["a", "cat"], ["DET", "NOUN"]), (["a"], ["DET"])])
        >>> sentences[1], sentences.occurrences("tags"), sentences[:1].occurrences("words")
        ((['a'], ['DET']), {'DET': 2, 'NOUN': 1}, {'a': 1, 'cat': 1})
    """

    def __init__(
        self,
        words: list[str],
        tags: list[str],
        word_numbers: IntArray,
        tag_numbers: IntArray,
        ends: IntArray,
        rows: IntArray | None = None,
    ):
        self.words, self.tags, self.ends, self.rows = words, tags, ends, rows
        self.numbers = {"words": word_numbers, "tags": tag_numbers}

    @classmethod
    def of(cls, sentences: Iterable[Sentence], key: str | None = None) -> PackedSentences:
        """Packs sentences in memory or in the cache.

        Args:
            sentences: The sentences; with a key an object that can be iterated twice. Not read if the cache has them.
            key: Any text that contains everything that determines the sentences; None: in memory.
        """
        if key is None:
            return _pack(sentences, None)
        stem = stem_of("sentences", json.dumps([VERSION, key]))
        if (stored := _stored(stem)) is not None:
            return stored
        try:
            packed = _pack(sentences, stem)
            facts = {"words": packed.words, "tags": packed.tags, "count": len(packed.numbers["words"])}
            write_text(file_of(stem, "facts"), json.dumps(facts))
            return packed
        except OSError as error:
            log.warning("sentences cannot be kept in %s (%s); they stay in memory", cache_dir(), error)
            return _pack(sentences, None)

    def __len__(self) -> int:
        return len(self.ends if self.rows is None else self.rows)

    @overload
    def __getitem__(self, index: int) -> Sentence: ...
    @overload
    def __getitem__(self, index: slice | Sequence[int] | IntArray) -> PackedSentences: ...
    def __getitem__(self, index: Any) -> Sentence | PackedSentences:
        """One sentence, or those of a slice or of an array of indices."""
        if isinstance(index, int | np.integer):
            row = range(len(self))[index]  # raises IndexError
            return next(self._sentences(row, row + 1))
        rows = np.arange(len(self))[index] if self.rows is None else self.rows[index]
        return PackedSentences(self.words, self.tags, self.numbers["words"], self.numbers["tags"], self.ends, rows)

    def __iter__(self) -> Iterator[Sentence]:
        for begin in range(0, len(self), ROWS):
            yield from self._sentences(begin, begin + ROWS)
            self._release()

    @property
    def lengths(self) -> IntArray:
        """Number of words of each sentence, `(sentences,)`."""
        lengths = np.diff(self.ends, prepend=0)
        return np.asarray(lengths if self.rows is None else lengths[self.rows])

    def occurrences(self, what: str) -> dict[str, int]:
        """Number of occurrences of each word or tag, in the order in which they first occur.

        Args:
            what: `"words"` or `"tags"`.
        """
        names = self.words if what == "words" else self.tags
        counts, order = np.zeros(len(names), np.int64), []
        for numbers, _ in self.blocks(what):
            distinct, first, times = np.unique(numbers, return_index=True, return_counts=True)
            new = counts[distinct] == 0
            order += distinct[new][np.argsort(first[new])].tolist()
            counts[distinct] += times
        return {names[number]: int(counts[number]) for number in order}

    def numbered(self, what: str, names: Sequence[str]) -> Iterator[IntArray]:
        """Yields the numbers of words or tags of each sentence among other names, int32 `(time,)`.

        Args:
            what: `"words"` or `"tags"`.
            names: Names that include all that occur.
        """
        index = {name: number for number, name in enumerate(names)}
        new = np.array([index.get(name, -1) for name in (self.words if what == "words" else self.tags)], np.int32)
        for numbers, lengths in self.blocks(what):
            yield from np.split(new[numbers], np.cumsum(lengths)[:-1])

    def blocks(self, what: str) -> Iterator[tuple[IntArray, IntArray]]:
        """Yields numbers of words or tags of several sentences, and the lengths of these sentences."""
        for begin in range(0, len(self), ROWS):
            yield self._gather(what, begin, begin + ROWS)
            self._release()

    def joined(self) -> Blocks:
        """The bytes of all sentences, for `cache.fingerprint`.

        A line for each word with a tab before its tag, and an empty line between two sentences.
        """
        lengths = self.lengths
        size = int(lengths.sum()) + int(np.maximum(0, lengths - 1).sum()) + 2 * max(0, len(self) - 1)
        for what, names in (("words", self.words), ("tags", self.tags)):
            of_names = np.array([len(name.encode("utf-8", _ERRORS)) for name in names], np.int64)
            size += sum(int(of_names[numbers].sum()) for numbers, _ in self.blocks(what))

        def arrays() -> Iterator[np.ndarray]:
            for begin in range(0, len(self), ROWS):
                rows = self._sentences(begin, begin + ROWS)
                text = "\n\n".join("\n".join(map("\t".join, zip(*row, strict=True))) for row in rows)
                data = ("\n\n" * (begin > 0) + text).encode("utf-8", _ERRORS)
                self._release()
                yield np.frombuffer(data, np.uint8)

        return Blocks(np.dtype(np.uint8), size, arrays())

    def _sentences(self, begin: int, stop: int) -> Iterator[Sentence]:
        numbers, lengths = self._gather("words", begin, stop)
        words = [self.words[number] for number in numbers.tolist()]
        tags = [self.tags[number] for number in self._gather("tags", begin, stop)[0].tolist()]
        first = 0
        for length in lengths.tolist():
            yield words[first : first + length], tags[first : first + length]
            first += length

    def _gather(self, what: str, begin: int, stop: int) -> tuple[IntArray, IntArray]:
        values = self.numbers[what]
        if self.rows is None:
            ends = np.asarray(self.ends[begin:stop])
            first = int(self.ends[begin - 1]) if begin else 0
            return np.asarray(values[first : int(ends[-1]) if len(ends) else first]), np.diff(ends, prepend=first)
        rows = self.rows[begin:stop]
        ends = np.asarray(self.ends[rows])
        lengths = ends - np.where(rows > 0, self.ends[rows - 1], 0)
        offset = np.repeat(ends - np.cumsum(lengths), lengths)
        return np.asarray(values[offset + np.arange(len(offset))]), lengths

    def _release(self) -> None:
        for array in (*self.numbers.values(), self.ends):
            release(array)


def _pack(sentences: Iterable[Sentence], stem: Path | None) -> PackedSentences:
    file = None if stem is None else partial(file_of, stem)
    arrays = {
        name: BlockArray(dtype, path=file(name) if file else None)
        for name, dtype in (("words", np.int32), ("tags", np.int32), ("ends", np.int64))
    }
    words: dict[str, int] = {}
    tags: dict[str, int] = {}
    block: dict[str, list[int]] = {name: [] for name in arrays}
    end = 0

    def flush() -> None:
        for name, values in block.items():
            arrays[name].append(np.array(values, np.int64))
            values.clear()

    try:
        for row_words, row_tags in sentences:
            block["words"] += [words.setdefault(word, len(words)) for word in row_words]
            block["tags"] += [tags.setdefault(tag, len(tags)) for tag in row_tags]
            end += len(row_words)
            block["ends"].append(end)
            if len(block["words"]) > 1 << 16:
                flush()
        flush()
        finished = {name: array.finish() for name, array in arrays.items()}
        return PackedSentences(list(words), list(tags), finished["words"], finished["tags"], finished["ends"])
    finally:
        for array in arrays.values():
            array.discard()


def _stored(stem: Path) -> PackedSentences | None:
    """The sentences in the cache; None: there are none, or their entry is damaged."""
    try:
        facts = parse_json(file_of(stem, "facts").read_text(encoding="utf-8"))
        words, tags, ends = (mapped(file_of(stem, name)) for name in ("words", "tags", "ends"))
        intact = len(words) == len(tags) == facts["count"] == (int(ends[-1]) if len(ends) else 0)
        return PackedSentences(facts["words"], facts["tags"], words, tags, ends) if intact else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
