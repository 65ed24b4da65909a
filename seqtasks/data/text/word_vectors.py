"""Reads word vectors from text files in the formats of GloVe and fastText."""

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


def read_vectors(path: Path, words: Collection[str]) -> dict[str, FloatArray]:
    """Reads the vectors of some words from a file, line by line.

    Each line has a word, which may contain spaces, and its vector, separated by spaces. A first line with two
    integers, as in fastText, is skipped. If a word occurs twice, its first vector is used.

    Args:
        path: The file, in UTF-8; a byte order mark is ignored.
        words: The words.

    Returns:
        Vectors, float32 `(width,)`, by word; words that are not in the file are left out.

    Raises:
        DataError: The file cannot be read, or a line has another width than the first.
    """
    vectors: dict[str, FloatArray] = {}
    width, words = None, frozenset(words)
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
                "allowed: the text format of GloVe or fastText; correct or remove the line"
            )
        if word in words and word not in vectors:
            vectors[word] = _numbers(path, number, parts[-width:])
    if width is None:
        raise DataError(f"{path} has no vector; allowed: lines with a word and its numbers; give such a file")
    return vectors


def _lines(path: Path) -> Iterator[str]:
    try:
        yield from iter_lines(path)
    except DataError as error:
        raise DataError(f"cannot read the vectors {path}: {error}") from error


def _width(parts: Sequence[str]) -> int:
    """Number of numbers at the end of a line."""
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
        with np.errstate(over="ignore"):  # an error below
            values = np.array(parts, np.float32)
    except ValueError as error:
        raise DataError(
            f"{path}, line {line}: {' '.join(parts)[:40]!r} are not numbers; allowed: numbers after the word; correct "
            "the line"
        ) from error
    if not np.isfinite(values).all():
        raise DataError(f"{path}, line {line}: a number is not finite; correct or remove the line")
    return values


def start_from(embedding: keras.layers.Embedding, names: Sequence[str], path: Path, option: str) -> None:
    """Initializes an embedding with the vectors of a file; rows of other words keep their values.

    Args:
        embedding: A built embedding with weights `(words, width)`.
        names: The words, in the order of the rows.
        path: The file.
        option: Name of the setting of the width, for the error message.

    Raises:
        DataError: The file cannot be read, see `read_vectors`, or has none of the words.
        ConfigError: The vectors have another width than the embedding.
    """
    rows, vectors = keras.ops.convert_to_numpy(embedding.embeddings), read_vectors(path, names)
    if not vectors:
        raise DataError(f"{path} has none of the {len(names):,} words; give vectors of the language of the texts")
    width = len(next(iter(vectors.values())))
    if width != rows.shape[1]:
        raise ConfigError(
            f"{path} has vectors of {width} numbers, but {option} is {rows.shape[1]}; set {option}={width}"
        )
    embedding.embeddings.assign(np.array([vectors.get(name, row) for name, row in zip(names, rows, strict=True)]))
    log.warning(
        "%s has vectors of %s of the %s words; the other vectors are initialized at random",
        path,
        f"{len(vectors):,}",
        f"{len(names):,}",
    )
