"""Cache of vocabularies and token numbers on disk; token numbers are memory-mapped."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from seqtasks.core.arrays import IntArray
from seqtasks.core.files import write_text
from seqtasks.data.block_files import BlockArray, mapped
from seqtasks.data.cache import cache_dir
from seqtasks.data.text.reader import Text
from seqtasks.data.text.vocabulary import Vocabulary

log = logging.getLogger(__name__)


def vocabulary_of(text: Text, start: int, stop: int | None, **settings: Any) -> Vocabulary:
    """Returns the vocabulary of a part of a text from the cache, or trains and stores it.

    Args:
        text: The text.
        start: Index of the first character.
        stop: Index after the last character; None: the end of the text.
        settings: Arguments of `Vocabulary.train`.
    """
    path = _path(["vocabulary", text.digest, start, stop, settings]).with_suffix(".json")
    if path.is_file():
        return Vocabulary(path.read_text(encoding="utf-8"))
    vocabulary = Vocabulary.train(texts=text.pieces(start, stop), **settings)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, vocabulary.to_text())
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
    digest = hashlib.sha256(vocabulary.to_text().encode()).hexdigest()
    path = _path(["tokens", text.digest, start, stop, digest]).with_suffix(".npy")
    if not path.is_file():
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


def _path(key: list[Any]) -> Path:
    digest = hashlib.sha256(json.dumps(key, default=str).encode()).hexdigest()[:16]
    return cache_dir() / f"{key[0]}-{digest}.npz"
