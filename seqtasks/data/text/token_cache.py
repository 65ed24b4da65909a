"""Cache of vocabularies and token numbers on disk; token numbers are memory-mapped."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seqtasks.core.arrays import IntArray
from seqtasks.core.files import shown, write_text
from seqtasks.data.block_files import BlockArray, mapped
from seqtasks.data.cache import cache_dir
from seqtasks.data.text.reader import Text
from seqtasks.data.text.vocabulary import Vocabulary

log = logging.getLogger(__name__)
VERSION = 3  # of stored vocabularies


def vocabulary_of(text: Text, start: int, stop: int | None, **settings: Any) -> Vocabulary:
    """Returns the vocabulary of a part of a text from the cache, or trains and stores it.

    Args:
        text: The text.
        start: Index of the first character.
        stop: Index after the last character; None: the end of the text.
        settings: Arguments of `Vocabulary.train`.
    """
    return stored_vocabulary([text.digest, start, stop], lambda: text.pieces(start, stop), **settings)


def stored_vocabulary(key: Sequence[Any], texts: Callable[[], Iterable[str]], **settings: Any) -> Vocabulary:
    """Returns the vocabulary of some texts from the cache, or trains and stores it.

    Args:
        key: Plain values that determine the texts.
        texts: Function that returns the texts; not called if the cache has the vocabulary.
        settings: Arguments of `Vocabulary.train`.
    """
    path = _path(["vocabulary", VERSION, *key, settings]).with_suffix(".json")
    if path.is_file():
        try:
            return Vocabulary(_checked(path.read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:  # a DataError and a UnicodeDecodeError are ValueErrors
            log.warning("the cached vocabulary in %s cannot be read (%s); it is made again", path, shown(str(error)))
    vocabulary = Vocabulary.train(texts=texts(), **settings)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, f"{vocabulary.to_text()}\n{_digest(vocabulary.to_text())}\n")
    except OSError as error:
        log.warning(
            "the vocabulary cannot be cached in %s (%s); set SEQTASKS_CACHE to another folder", path.parent, error
        )
    return vocabulary


def encode(text: Text, vocabulary: Vocabulary, start: int = 0, stop: int | None = None) -> IntArray:
    """Returns the token numbers of a part of a text from the cache, or computes and stores them.

    If the cache cannot be written, the numbers are in memory, with a warning.

    Args:
        text: The text.
        vocabulary: The vocabulary.
        start: Index of the first character.
        stop: Index after the last character; None: the end of the text.

    Returns:
        Token numbers, `(tokens,)`, memory-mapped.
    """
    digest = _digest(vocabulary.to_text())
    path = _path(["tokens", text.digest, start, stop, digest]).with_suffix(".npy")
    if not _is_intact(path, vocabulary.dtype):
        pieces = vocabulary.encode_pieces(text.pieces(start, stop))
        try:
            _write(path, pieces, vocabulary.dtype)
        except OSError as error:
            log.warning(
                "the tokens cannot be cached in %s (%s) and are kept in memory; set SEQTASKS_CACHE to another folder",
                path.parent,
                error,
            )
            pieces = vocabulary.encode_pieces(text.pieces(start, stop))
            return np.concatenate([np.zeros(0, vocabulary.dtype), *pieces])
    return mapped(path)


def _write(path: Path, pieces: Iterator[IntArray], dtype: Any) -> None:
    array = BlockArray(dtype, path=path)
    try:
        for piece in pieces:
            array.append(piece)
        array.finish()
    finally:
        array.discard()


def _is_intact(path: Path, dtype: Any) -> bool:
    """Whether a file of token numbers exists and is as long as its header says."""
    if not path.is_file():
        return False
    try:
        numbers = mapped(path)
        if (numbers.ndim, numbers.dtype) == (1, dtype):
            return True
        error = f"they are {numbers.dtype} of shape {numbers.shape}"
    except (OSError, ValueError) as problem:
        error = str(problem)
    log.warning("the cached tokens in %s cannot be read (%s); they are made again", path, shown(error))
    return False


def _checked(stored: str) -> str:
    """The vocabulary in a file that ends in its digest.

    Raises:
        ValueError: The file is damaged.
    """
    text, _, digest = stored.removesuffix("\n").rpartition("\n")
    if digest != _digest(text):
        raise ValueError("its digest is wrong")
    return text


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _path(key: list[Any]) -> Path:
    digest = hashlib.sha256(json.dumps(key, default=str).encode()).hexdigest()[:16]
    return cache_dir() / f"{key[0]}-{digest}.npz"
