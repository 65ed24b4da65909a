"""Reads IDX files, the format of MNIST."""

from __future__ import annotations

import gzip
import math
import os
import re
import zlib
from pathlib import Path

import numpy as np

from seqtasks.core.errors import DataError
from seqtasks.data.image.label_folders import pixels, require_labels, warn_of_ignored

NAME = re.compile(r"(train|t10k)-(images|labels)[-.]idx[13]-ubyte(\.gz)?")
PIECE = 1 << 20  # number of bytes read at once
LARGE = 64 << 20  # number of bytes above which the length in the last bytes of a gzip file is compared first


def has_files(folder: Path) -> bool:
    """Whether a folder has an IDX file."""
    return any(map(NAME.fullmatch, _names(folder)))


def read(folder: Path) -> dict[str, np.ndarray]:
    """Reads the IDX files of a folder: the four files of MNIST, gzipped or not; those of the test set are optional.

    Returns:
        `train/image`, uint8 `(images, height, width)`; `train/label`, int64 `(images,)`; `classes`, the name of each
        label, `(classes,)`; and, if there is a test set, `test/image` and `test/label`.

    Raises:
        DataError: A file is missing or damaged, files are inconsistent, or there are fewer than two labels.
    """
    names = _names(folder)
    paths: dict[str, Path] = {}
    for name in names:
        if match := NAME.fullmatch(name):
            paths.setdefault(f"{match[1]}-{match[2]}", folder / name)  # names are sorted: plain before .gz
    warn_of_ignored(folder, len(names) - len(paths))
    data: dict[str, np.ndarray] = {}
    for split, stem in (("train", "train"), ("test", "t10k")):
        missing = [part for part in ("images", "labels") if f"{stem}-{part}" not in paths]
        if missing == ["images", "labels"] and split == "test":
            continue
        if missing:
            raise DataError(f"{folder} has IDX files, but no {stem}-{missing[0]}-idx…-ubyte; add this file")
        image_path, label_path = paths[f"{stem}-images"], paths[f"{stem}-labels"]
        images, labels = _read_idx(image_path, 3), _read_idx(label_path, 1)
        if split == "train":
            # Labels of sets such as EMNIST letters begin at 1; targets are indices of the sorted labels.
            values, size = np.unique(labels), pixels(images[0].shape)
        if len(images) != len(labels):
            raise DataError(
                f"{label_path} has {len(labels)} labels, expected {len(images)}, one for each image; "
                "give matching files"
            )
        if pixels(images[0].shape) != size:
            raise DataError(
                f"{image_path} has images of {pixels(images[0].shape)}, expected {size} as in training; give "
                "matching files"
            )
        if unknown := sorted(set(labels.tolist()) - set(values.tolist())):
            raise DataError(
                f"{label_path} has the label {unknown[0]}, expected one of {values.tolist()}; give matching files"
            )
        data |= {f"{split}/image": images, f"{split}/label": np.searchsorted(values, labels).astype(np.int64)}
    require_labels(folder, values.astype(str).tolist())
    return {**data, "classes": values.astype(str)}


def _read_idx(path: Path, dimensions: int) -> np.ndarray:
    """Reads the uint8 array of an IDX file.

    Raises:
        DataError: The file cannot be read, has another type or number of dimensions, or another length than in
            its header.
    """
    magic, header = bytes([0, 0, 8, dimensions]), 4 + 4 * dimensions
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            data = bytearray(file.read(header))
            shape = tuple(int(n) for n in np.frombuffer(data, ">u4", offset=4)) if len(data) == header else ()
            if data[:4] != magic or len(data) < header:
                raise DataError(
                    f"{path} starts with the bytes [{data[:4].hex(' ')}], expected [{magic.hex(' ')}] (IDX, unsigned "
                    f"bytes, {dimensions} dimensions) and at least {header} bytes; download it again"
                )
            expected = header + math.prod(shape)
            if path.suffix == ".gz" and expected > LARGE:
                _check_trailer(path, expected)
            # In pieces, because the size in a damaged header may be huge, and so may be the content of a gzip file.
            while len(data) <= expected and (piece := file.read(min(PIECE, expected + 1 - len(data)))):
                data += piece
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read ({error}); expected a whole IDX file; download it again") from error
    if len(data) != expected or 0 in shape:
        raise DataError(
            f"{path} has {_length(path, data, expected)}, expected {expected} for the shape {shape} in its header, "
            "without a 0; download it again"
        )
    return np.frombuffer(data, np.uint8, offset=header).reshape(shape)  # writable, as a bytearray is


def _check_trailer(path: Path, expected: int) -> None:
    """Checks the length that the last four bytes of a gzip file state, before gigabytes are decompressed.

    Raises:
        DataError: It is not the expected length, modulo 2³².
    """
    with path.open("rb") as file:
        file.seek(-4, os.SEEK_END)
        length = int.from_bytes(file.read(4), "little")
    if length != expected % (1 << 32):
        raise DataError(
            f"{path} has {length} bytes by its last four, expected {expected} by the shape in its header; download it "
            "again"
        )


def _length(path: Path, data: bytearray, expected: int) -> str:
    """Number of bytes of a file for messages; not all of a file that is too long were read."""
    if len(data) <= expected:
        return f"{len(data)} bytes"
    return f"more than {expected} bytes" if path.suffix == ".gz" else f"{path.stat().st_size} bytes"


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
