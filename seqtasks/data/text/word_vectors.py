"""Reads word vectors from text files such as those of GloVe and fastText."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import keras
import numpy as np

from seqtasks.core.arrays import FloatArray
from seqtasks.core.errors import ConfigError, DataError
from seqtasks.data.text.reader import iter_lines

log = logging.getLogger(__name__)


def read_vectors(path: Path, wanted: Collection[str]) -> dict[str, FloatArray]:
    """The vectors of some words; the file is read line by line.

    Each line is a word, which may hold spaces, and its numbers, between spaces. A first
    line of two whole numbers, as of fastText, is skipped. Of a word that comes twice the
    first vector counts.

    Args:
        path: the file, UTF-8; a byte order mark is dropped.
        wanted: words.

    Returns:
        Float32 (width,) by word; only words that the file has.

    Raises:
        DataError: the file cannot be read, or a line has another width than the first.
    """
    vectors: dict[str, FloatArray] = {}
    width, wanted = None, frozenset(wanted)
    for number, line in enumerate(_lines(path), 1):
        parts = line.rstrip(" ").split(" ")
        if number == 1 and len(parts) == 2 and all(part.isdecimal() for part in parts):
            continue
        if width is None:
            width = _width(parts)
        word = " ".join(parts[:-width]) if width else ""
        if not word:
            raise DataError(
                f"{path}, line {number}: {line.strip()[:40]!r} is not a word and {width or 'some'} numbers; "
                "allowed: the text layout of GloVe or fastText; repair or remove the line"
            )
        if word in wanted and word not in vectors:
            vectors[word] = _numbers(path, number, parts[-width:])
    if width is None:
        raise DataError(f"{path} holds no vector; allowed: lines of a word and its numbers")
    return vectors


def _lines(path: Path) -> Iterator[str]:
    try:
        yield from iter_lines(path)
    except DataError as error:
        raise DataError(f"cannot read the vectors {path}: {error}") from error


def _width(parts: Sequence[str]) -> int:
    """The numbers at the end of a line."""
    count = 0
    for part in reversed(parts[1:]):
        try:
            float(part)
        except ValueError:
            break
        count += 1
    return count


def _numbers(path: Path, line: int, parts: Sequence[str]) -> FloatArray:
    try:
        values = np.array(parts, np.float32)
    except ValueError as error:
        raise DataError(f"{path}, line {line}: {' '.join(parts)[:40]!r} are not numbers; repair the line") from error
    if not np.isfinite(values).all():
        raise DataError(f"{path}, line {line}: a number is not finite; repair or remove the line")
    return values


def start_from(embedding: keras.layers.Embedding, names: Sequence[str], path: Path, option: str) -> None:
    """Puts the vectors of a file into the rows of an embedding; other words keep what they have.

    Args:
        embedding: built, (words, width).
        names: of the words, in the order of the rows.
        path: the file.
        option: the setting of the width, for the message.

    Raises:
        DataError: see `read_vectors`; none of the words is there.
        ConfigError: the vectors have another width.
    """
    rows, vectors = keras.ops.convert_to_numpy(embedding.embeddings), read_vectors(path, names)
    if not vectors:
        raise DataError(f"{path} has none of the {len(names):,} words; give vectors of their language")
    width = len(next(iter(vectors.values())))
    if width != rows.shape[1]:
        raise ConfigError(
            f"{path} has vectors of {width} numbers, but {option} is {rows.shape[1]}; set {option}={width}"
        )
    embedding.embeddings.assign(np.array([vectors.get(name, row) for name, row in zip(names, rows, strict=True)]))
    log.warning("%s has %s of the %s words; the others begin at random", path, f"{len(vectors):,}", f"{len(names):,}")
