"""Reads IDX files, the format of MNIST, image by image."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import math
import os
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

import numpy as np

from seqtasks.core.arrays import IntArray, PixelArray
from seqtasks.core.errors import DataError
from seqtasks.data.image.label_folders import pixels, require_labels, state_of, warn_of_ignored

NAME = re.compile(r"(train|t10k)-(images|labels)[-.]idx[13]-ubyte(\.gz)?")
PIECE = 1 << 20  # number of bytes read at once
LARGE = 64 << 20  # number of bytes above which the length in the last bytes of a gzip file is compared first


def has_files(folder: Path) -> bool:
    """Whether a folder has an IDX file."""
    return any(map(NAME.fullmatch, _names(folder)))


@dataclass(frozen=True)
class IdxImages:
    """The images of the IDX files of a folder, which are read one by one; with the interface of `LabelFolders`.

    Attributes:
        folder: The folder.
        paths: Files of the images of `train` and, if there is one, of `test`.
        shape: Height and width of the images.
        targets: Number of the label of each image, int64 `(images,)`.
        classes: Names of the labels, in the order of their numbers, `(classes,)`.
        digest: Hash of names, sizes and times of change of the files.
    """

    folder: Path
    paths: dict[str, Path]
    shape: tuple[int, int]
    targets: dict[str, IntArray]
    classes: np.ndarray
    digest: str

    def images(self, split: str) -> Iterator[PixelArray]:
        """Reads the images of a split one by one, uint8 `(height, width)`.

        Raises:
            DataError: The file is damaged, or has another length than in its header.
        """
        path, count = self.paths[split], math.prod(self.shape)
        for block in _blocks(path, (len(self.targets[split]), *self.shape), max(1, PIECE // count)):
            yield from np.frombuffer(block, np.uint8).reshape(-1, *self.shape)


def find(folder: Path) -> IdxImages:
    """Reads the labels and the sizes of the images: the four files of MNIST, gzipped or not; test is optional.

    Raises:
        DataError: A file is missing or damaged, files are inconsistent, or there are fewer than two labels.
    """
    names = _names(folder)
    files: dict[str, Path] = {}
    for name in names:
        if match := NAME.fullmatch(name):
            files.setdefault(f"{match[1]}-{match[2]}", folder / name)  # names are sorted: plain before .gz
    warn_of_ignored(folder, len(names) - len(files))
    paths: dict[str, Path] = {}
    targets: dict[str, IntArray] = {}
    digest = hashlib.sha256()
    for split, stem in (("train", "train"), ("test", "t10k")):
        missing = [part for part in ("images", "labels") if f"{stem}-{part}" not in files]
        if missing == ["images", "labels"] and split == "test":
            continue
        if missing:
            raise DataError(f"{folder} has IDX files, but no {stem}-{missing[0]}-idx…-ubyte; add this file")
        image_path, label_path = files[f"{stem}-images"], files[f"{stem}-labels"]
        shape, labels = _shape(image_path, 3), _labels(label_path)
        if split == "train":
            # Labels of sets such as EMNIST letters begin at 1; targets are indices of the sorted labels.
            values, size = np.unique(labels), (shape[1], shape[2])
        if shape[0] != len(labels):
            raise DataError(
                f"{label_path} has {len(labels)} labels, expected {shape[0]}, one for each image; give matching files"
            )
        if shape[1:] != size:
            raise DataError(
                f"{image_path} has images of {pixels(shape[1:])}, expected {pixels(size)} as in training; give "
                "matching files"
            )
        if unknown := sorted(set(labels.tolist()) - set(values.tolist())):
            raise DataError(
                f"{label_path} has the label {unknown[0]}, expected one of {values.tolist()}; give matching files"
            )
        paths[split], targets[split] = image_path, np.searchsorted(values, labels).astype(np.int64)
        for path in (image_path, label_path):
            digest.update(f"{path.name}\0{state_of(path)}\n".encode())
    require_labels(folder, values.astype(str).tolist())
    return IdxImages(folder, paths, size, targets, values.astype(str), digest.hexdigest()[:16])


def _labels(path: Path) -> np.ndarray:
    """The labels of an IDX file, uint8 `(images,)`.

    Raises:
        DataError: The file is damaged.
    """
    return np.frombuffer(b"".join(_blocks(path, _shape(path, 1), PIECE)), np.uint8)


def _shape(path: Path, dimensions: int) -> tuple[int, ...]:
    """Reads the shape in the header of an IDX file, and compares it with the length where that is known.

    Raises:
        DataError: The file cannot be read, has another type or number of dimensions, or another length.
    """
    magic, header = bytes([0, 0, 8, dimensions]), 4 + 4 * dimensions
    with _opened(path) as file:
        data = file.read(header)
        if data[:4] != magic or len(data) < header:
            raise DataError(
                f"{path} starts with the bytes [{data[:4].hex(' ')}], expected [{magic.hex(' ')}] (IDX, unsigned "
                f"bytes, {dimensions} dimensions) and at least {header} bytes; download it again"
            )
        shape = tuple(int(n) for n in np.frombuffer(data, ">u4", offset=4))
        expected = header + math.prod(shape)
        if path.suffix == ".gz" and expected > LARGE:
            _check_trailer(path, expected)
        if (path.suffix != ".gz" and path.stat().st_size != expected) or 0 in shape:
            raise _length_error(path, f"{path.stat().st_size} bytes", shape)
    return shape


def _blocks(path: Path, shape: tuple[int, ...], rows: int) -> Iterator[bytes]:
    """Reads the values of an IDX file, this many rows at once.

    Raises:
        DataError: The file cannot be read, or has another length.
    """
    row = math.prod(shape[1:])
    header = 4 + 4 * len(shape)
    expected = header + math.prod(shape)
    with _opened(path) as file:
        file.read(header)
        for begin in range(0, shape[0], rows):
            count = min(rows, shape[0] - begin) * row
            data = bytearray()
            while len(data) < count and (piece := file.read(min(PIECE, count - len(data)))):
                data += piece  # in pieces, because the size in a damaged header may be huge
            if len(data) < count:
                raise _length_error(path, f"{header + begin * row + len(data)} bytes", shape)
            yield bytes(data)
        if file.read(1):
            raise _length_error(path, f"more than {expected} bytes", shape)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[gzip.GzipFile | BufferedReader]:
    """An IDX file, gzipped or not, whose errors name it."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            yield file
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read ({error}); expected a whole IDX file; download it again") from error


def _length_error(path: Path, length: str, shape: tuple[int, ...]) -> DataError:
    expected = 4 + 4 * len(shape) + math.prod(shape)
    return DataError(
        f"{path} has {length}, expected {expected} for the shape {shape} in its header, without a 0; download it again"
    )


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


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
