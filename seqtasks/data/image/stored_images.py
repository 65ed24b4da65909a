"""Images of label folders and IDX files in arrays of the splits, in memory or mapped from files of the cache."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from seqtasks.core.arrays import IntArray, PixelArray
from seqtasks.core.files import write_text
from seqtasks.core.parsing import parse_json
from seqtasks.data.block_files import BlockArray, mapped
from seqtasks.data.cache import Blocks, cache_dir, file_of, fingerprint, stem_of
from seqtasks.data.image.idx_files import IdxImages
from seqtasks.data.image.label_folders import LabelFolders

LARGE = 16 << 20  # pixels of all images above which they are mapped
BLOCK = 4 << 20  # pixels that are read at once
VERSION = 1  # of the entries in the cache
log = logging.getLogger(__name__)


def load(
    folders: LabelFolders | IdxImages, rows: Mapping[str, tuple[str, IntArray]], limits: Sequence[Any]
) -> tuple[dict[str, PixelArray], str]:
    """Reads the images of each split.

    Many images are converted once: the arrays are kept in the cache under a key of the folder and of the names, sizes
    and times of change of its files. If the cache cannot be written, they are in memory, with a warning.

    Args:
        folders: The images of a folder.
        rows: For each split, whether its images are in `train` or `test` of the folder, and their indices there,
            ascending.
        limits: Settings that `rows` depend on, for the key.

    Returns:
        Images of each split, uint8 `(images, height, width)`, and the fingerprint of all images, labels and classes
        of the folder.

    Raises:
        DataError: An image is damaged or has another size.
    """
    height, width = folders.shape
    if sum(map(len, folders.targets.values())) * height * width < LARGE:
        return _read(folders, rows, None)
    key = json.dumps(["images", VERSION, str(folders.folder.resolve()), folders.digest, *limits])
    stem = stem_of(folders.folder.name, key)
    if (stored := _stored(stem, {part: (len(index), height, width) for part, (_, index) in rows.items()})) is not None:
        return stored
    log.warning("%s: %d images are converted, once", folders.folder, sum(map(len, folders.targets.values())))
    try:
        images, digest = _read(folders, rows, stem)
        write_text(file_of(stem, "facts"), json.dumps({"fingerprint": digest}))
        return images, digest
    except OSError as error:
        log.warning(
            "the images of %s cannot be kept in %s (%s); they stay in memory", folders.folder, cache_dir(), error
        )
        return _read(folders, rows, None)


def _read(
    folders: LabelFolders | IdxImages, rows: Mapping[str, tuple[str, IntArray]], stem: Path | None
) -> tuple[dict[str, PixelArray], str]:
    """Reads all images in one pass, in memory or into files of the cache, and computes their fingerprint."""
    arrays = {part: BlockArray(np.uint8, folders.shape, stem and file_of(stem, part)) for part in rows}

    def blocks(split: str) -> Iterator[np.ndarray]:
        images, begin = folders.images(split), 0
        while listed := list(islice(images, max(1, BLOCK // (folders.shape[0] * folders.shape[1])))):
            block = np.stack(listed)
            for part, (place, index) in rows.items():
                if place == split:
                    first, last = np.searchsorted(index, [begin, begin + len(block)])
                    arrays[part].append(block[index[first:last] - begin])
            begin += len(block)
            yield block

    data: dict[str, np.ndarray | Blocks] = {"classes": np.array(folders.classes, dtype=np.str_)}
    for split, targets in folders.targets.items():
        data[f"{split}/image"] = Blocks(np.dtype(np.uint8), len(targets), blocks(split), folders.shape)
        data[f"{split}/label"] = targets
    try:
        digest = fingerprint(data)
        return {part: array.finish() for part, array in arrays.items()}, digest
    finally:
        for array in arrays.values():
            array.discard()


def _stored(stem: Path, shapes: Mapping[str, tuple[int, ...]]) -> tuple[dict[str, PixelArray], str] | None:
    """The images in the cache and their fingerprint; None: there are none, or an array has another shape."""
    try:
        digest = parse_json(file_of(stem, "facts").read_text(encoding="utf-8"))["fingerprint"]
        images = {part: mapped(file_of(stem, part)) for part in shapes}
    except (OSError, ValueError, KeyError, TypeError):
        return None
    intact = all(images[part].shape == shape and images[part].dtype == np.uint8 for part, shape in shapes.items())
    return (images, digest) if intact and isinstance(digest, str) else None
