"""Lists and reads the images of folders that are named by label."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from os import scandir
from pathlib import Path

import numpy as np

from seqtasks.core.arrays import IntArray, PixelArray
from seqtasks.core.errors import DataError
from seqtasks.core.files import utf8_name
from seqtasks.data.image.files import SUFFIXES, read_picture
from seqtasks.data.text.packed_texts import PackedTexts, TextWriter

EXPECTED = "the IDX files of MNIST (train-images-idx3-ubyte …), train/<label>/*.png, or <label>/*.png"
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LabelFolders:
    """The images of label folders, in a fixed random order, so that the first n are a random sample.

    Attributes:
        folder: The folder.
        paths: Paths of the images of `train` and, if there is one, of `test`, relative to the folder.
        targets: Number of the label of each image, int64 `(images,)`.
        classes: Names of the labels, in the order of their numbers.
        first: Path of the first image by name, relative to the folder; the others must have its size.
        digest: Hash of paths, sizes and times of change of all images.
    """

    folder: Path
    paths: dict[str, PackedTexts]
    targets: dict[str, IntArray]
    classes: list[str]
    first: str
    digest: str

    @cached_property
    def shape(self) -> tuple[int, int]:
        """Height and width of the images.

        Raises:
            DataError: The first image cannot be read.
        """
        height, width = read_picture(self.folder / self.first).shape
        return height, width

    def images(self, split: str) -> Iterator[PixelArray]:
        """Reads the images of a split one by one, uint8 `(height, width)`.

        Raises:
            DataError: An image cannot be read, or has another size.
        """
        for name in self.paths[split]:
            grey = read_picture(self.folder / name)
            if grey.shape != self.shape:
                raise DataError(
                    f"{self.folder / name} is {pixels(grey.shape)}, expected {pixels(self.shape)} as "
                    f"{self.folder / self.first}; scale all to one size"
                )
            yield grey


def find(folder: Path) -> LabelFolders:
    """Lists the images in `train/<label>/*` and optionally `test/<label>/*`, or in `<label>/*`; reads none.

    Raises:
        DataError: There is no image, a label of the test set is not in training, or there are fewer than two labels.
    """
    roots, ignored = {"train": folder}, 0
    if subfolders(folder / "train"):
        roots = {split: folder / split for split in ("train", "test") if (folder / split).is_dir()}
        ignored = len(list(folder.iterdir())) - len(roots)
    classes = sorted(subfolders(roots["train"]), key=lambda name: (int(name) if name.isdecimal() else math.inf, name))
    paths: dict[str, PackedTexts] = {}
    targets: dict[str, IntArray] = {}
    first, digest = "", hashlib.sha256()
    for split, root in roots.items():
        labels = subfolders(root)
        ignored += len(list(root.iterdir())) - len(labels)
        writer, counts = TextWriter(), []
        for label in labels:
            if label not in classes:
                raise DataError(
                    f"{root / label}: no such label in {roots['train']}, expected one of {classes}; add it there or "
                    "remove this folder"
                )
            names, others = _pictures(root / label)
            ignored += others
            counts.append(len(names))
            begin = (root / label).relative_to(folder).as_posix()
            first = first or f"{begin}/{names[0]}"
            for name in names:
                writer.append(f"{begin}/{name}")
                digest.update(f"{begin}/{name}\0{state_of(root / label / name)}\n".encode("utf-8", "surrogatepass"))
        if not labels:
            raise DataError(f"{root} has no labelled images; allowed: {EXPECTED}; add images")
        order = np.random.default_rng(0).permutation(sum(counts))
        paths[split] = writer.finish()[order]
        targets[split] = np.repeat([classes.index(label) for label in labels], counts).astype(np.int64)[order]
    warn_of_ignored(folder, ignored)
    require_labels(folder, classes)
    return LabelFolders(folder, paths, targets, classes, first, digest.hexdigest()[:16])


def require_labels(folder: Path, classes: Sequence[str]) -> None:
    """Checks that there is something to tell apart.

    Raises:
        DataError: There are fewer than two labels.
    """
    if len(classes) < 2:
        raise DataError(f"{folder} has only the label {classes[0]}; allowed: two or more labels; add images of another")


def subfolders(folder: Path) -> list[str]:
    """Names of the subfolders that are not hidden, sorted."""
    entries = folder.iterdir() if folder.is_dir() else ()
    return sorted(utf8_name(path) for path in entries if path.is_dir() and path.name[0] != ".")


def pixels(shape: Sequence[int]) -> str:
    """Width and height of an image of shape `(height, width)` for messages."""
    return f"{shape[1]}×{shape[0]} pixels"


def warn_of_ignored(folder: Path, count: int) -> None:
    """Logs the number of ignored files of a folder, if there are any."""
    if count:
        log.warning("%s: %d hidden or other files ignored; images are PNG, JPG or BMP", folder, count)


def state_of(path: Path) -> str:
    """Size and time of change of a file; nothing if it cannot be read, which is an error where it is read."""
    with contextlib.suppress(OSError):
        facts = path.stat()
        return f"{facts.st_size} {facts.st_mtime_ns}"
    return ""


def _pictures(folder: Path) -> tuple[list[str], int]:
    """Names of the images of a folder, sorted, and number of the other entries."""
    names, others = [], 0
    with scandir(folder) as entries:
        for entry in entries:
            if Path(entry.name).suffix.lower() in SUFFIXES and entry.name[0] != ".":
                names.append(entry.name)
            else:
                others += 1
    if not names:
        raise DataError(f"{folder} has no image; allowed: PNG, JPG or BMP files; add some or remove the folder")
    return sorted(names), others
