"""Loads images with captions: generated scenes of digits, folders such as Flickr8k, COCO.

Images of folders of more than `LARGE` bytes are scaled once and kept in the cache, from where they are mapped into
memory.
"""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from seqtasks.core.arrays import IntArray, PixelArray
from seqtasks.core.errors import DataError
from seqtasks.data import tfds
from seqtasks.data.block_files import release
from seqtasks.data.cache import Blocks, cached, fingerprint
from seqtasks.data.image import files, labelled_images
from seqtasks.data.image.digit_scenes import scenes, sentence
from seqtasks.data.image.label_folders import state_of
from seqtasks.data.ragged_files import collect
from seqtasks.data.source import Source, prepared_folder
from seqtasks.data.tables import Table, read_table

log = logging.getLogger(__name__)
FILE = "captions.csv"
LARGE = 16 << 20  # bytes of all scaled images above which they are mapped
VERSION = 1  # of the entries in the cache
BLOCK = 1024  # images that are hashed at once
SHARES = {"validation": 0.1, "test": 0.1}  # fractions that are held out if the file has no column `split`
PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Pictures:
    """Some of the images of an array, which may be mapped from a file; with the interface of `Scenes`.

    Attributes:
        array: Images, uint8 `(stored, height, width, 3)`.
        rows: Indices of these images in the array, `(images,)`.
    """

    array: PixelArray
    rows: IntArray

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: slice | IntArray) -> Pictures:
        return Pictures(self.array, self.rows[index])

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of an image: height, width, channels."""
        return tuple(self.array.shape[1:])

    def images(self, epoch: int) -> PixelArray:
        """The images, equal in every epoch, uint8 `(images, height, width, 3)`."""
        chosen = np.asarray(self.array[self.rows])
        release(self.array)
        return chosen

    def joined(self) -> Blocks:
        """The images in blocks, for `cache.fingerprint`."""
        parts = (self[begin : begin + BLOCK].images(0) for begin in range(0, len(self), BLOCK))
        return Blocks(np.dtype(np.uint8), len(self), parts, self.shape)


@dataclass(frozen=True)
class Captioned:
    """Images and their captions, by split.

    Attributes:
        images: `Scenes` or `Pictures`.
        captions: Captions of each image, one or more.
        fingerprint: Fingerprint of all images and captions.
    """

    images: dict[str, Any]
    captions: dict[str, list[tuple[str, ...]]]
    fingerprint: str


def load(source: Source, counts: dict[str, int], side: int) -> Captioned:
    """Loads the images and captions of a source.

    Args:
        source: `tfds:coco_captions`, a folder with `captions.csv`, or labelled images of digits of which scenes
            are generated, such as `tfds:mnist` or the built-in digits.
        counts: Number of generated scenes of each split.
        side: Height and width to which images that are not generated are scaled.

    Raises:
        DataError: Data is missing or damaged, or an image in `captions.csv` does not exist.
    """
    if source.kind == "files":
        return _folder(source, side)
    if source.name == "coco_captions":
        return _coco(source, side)
    splits = labelled_images.load(source.whole())  # limits count scenes
    pictures = scenes(splits, counts)
    captions: dict[str, list[tuple[str, ...]]] = {
        part: [(sentence(row),) for row in images.combinations] for part, images in pictures.items()
    }
    return Captioned(pictures, captions, splits.fingerprint)


def read_image(path: Path, side: int) -> PixelArray:
    """Reads a colour image, crops it to its central square and scales it.

    Args:
        path: A PNG, JPG or BMP file.
        side: Height and width of the result in pixels.

    Returns:
        uint8 `(side, side, 3)`.

    Raises:
        DataError: The file does not exist, or is not an image.
    """
    return _square(Image.fromarray(files.read_picture(path, "RGB")), side)


def _square(image: Image.Image, side: int) -> PixelArray:
    """Crops an image to its central square and scales it, uint8 `(side, side, 3)`."""
    image, short = image.convert("RGB"), min(image.size)
    left, top = ((size - short) // 2 for size in image.size)
    box = (left, top, left + short, top + short)
    return np.asarray(image.resize((side, side), Image.Resampling.BILINEAR, box))


def _folder(source: Source, side: int) -> Captioned:
    """Loads a folder with images and `captions.csv`.

    Raises:
        DataError: The file or an image is missing, a caption is empty, or a split has no image.
    """
    folder = source.folder
    assert folder is not None
    path = folder / FILE
    if not path.is_file():
        raise DataError(f"{folder} has no {FILE}; add it, with the columns image,caption and optionally split")
    table = read_table(path, trim=True)
    names_of_rows, texts = (table.column(name, "name the columns image,caption") for name in ("image", "caption"))
    if empty := [number for number, text in zip(table.lines, texts, strict=True) if not text.strip()]:
        raise DataError(f"{path}, row {empty[0]}: the caption is empty; write one or remove the row")
    captions: dict[str, tuple[str, ...]] = {}  # distinct captions of each image
    for name, text in zip(names_of_rows, texts, strict=True):
        captions[name] = tuple(dict.fromkeys((*captions.get(name, ()), _line(text))))
    names = list(captions)
    paths = {name: _image_path(folder, name) for name in names}
    if missing := [name for name, image_path in paths.items() if image_path is None]:
        raise DataError(
            f"{path}: {len(missing)} of {len(names)} images do not exist, such as {missing[0]}; put them into "
            f"{folder} or {folder / 'Images'}, or remove their rows"
        )
    members = {part: part_names[: source.limits[part]] for part, part_names in _members(table, names_of_rows).items()}
    chosen = {name for part in members.values() for name in part}
    needed = {name: image for name, image in paths.items() if image is not None and name in chosen}
    numbers = {name: number for number, name in enumerate(needed)}
    array = _images(needed, side)
    images = {
        part: Pictures(array, np.array([numbers[name] for name in part_names])) for part, part_names in members.items()
    }
    sentences = {part: [captions[name] for name in part_names] for part, part_names in members.items()}
    return Captioned(images, sentences, _fingerprint(images, sentences))


def _images(paths: Mapping[str, Path], side: int) -> PixelArray:
    """Reads images, uint8 `(images, side, side, 3)`, mapped from the cache if they are many.

    Raises:
        DataError: An image cannot be read.
    """

    def rows() -> Iterator[PixelArray]:
        return (read_image(path, side) for path in paths.values())

    key = None
    if len(paths) * side * side * 3 >= LARGE:
        states = [(str(path.resolve()), state_of(path)) for path in paths.values()]
        key = json.dumps(
            ["captioned", VERSION, side, fingerprint({"x": np.frombuffer(repr(states).encode(), np.uint8)})]
        )
    values = collect(rows, np.uint8, key, (side, 3)).values
    return values.reshape(len(paths), side, side, 3)


def _image_path(folder: Path, name: str) -> Path | None:
    """Path of an image in a folder or its subfolder `Images`; None: it does not exist."""
    for path in (folder / name, folder / "Images" / name):
        with contextlib.suppress(OSError):  # a name that is too long
            if path.is_file():
                return path
    return None


def _members(table: Table, names_of_rows: Sequence[str]) -> dict[str, list[str]]:
    """Names of the images of each split.

    They are those in the column `split`, if there is one; else a random tenth of the images each is for
    validation and test, the same in every call.

    Raises:
        DataError: The name of a split is unknown, or a split has no image.
    """
    path, names = table.path, list(dict.fromkeys(names_of_rows))
    if "split" in table.header:
        splits: dict[str, str] = {}
        for name, split in zip(names_of_rows, table.column("split", "keep one"), strict=True):
            splits.setdefault(name, {"val": "validation", "dev": "validation"}.get(split, split))
        members = {part: [name for name in names if splits[name] == part] for part in PARTS}
        if unknown := sorted(set(splits.values()) - set(PARTS)):
            raise DataError(f"{path}: split is {unknown[0]!r}; allowed: {', '.join(PARTS)}; correct the column")
    else:
        order = [names[i] for i in np.random.default_rng(0).permutation(len(names))]
        n = {part: max(1, round(share * len(names))) for part, share in SHARES.items()}
        members = {"validation": order[: n["validation"]], "test": order[n["validation"] : sum(n.values())]}
        members = {"train": order[sum(n.values()) :], **members}
    if empty := [part for part, part_names in members.items() if not part_names]:
        raise DataError(
            f"{path} has {len(names)} images, none for {empty[0]}; allowed: at least one for each split; add images"
        )
    return members


def _coco(source: Source, side: int) -> Captioned:
    """Loads COCO: a tenth of its training split is for validation, its validation split for test."""
    folder = prepared_folder(source) or tfds.download(source)

    def decode() -> dict[str, np.ndarray]:
        import tensorflow_datasets as tfds

        builder, arrays = tfds.builder_from_directory(str(folder)), {}
        for part, split in (("train", "train[10%:]"), ("validation", "train[:10%]"), ("test", "val")):
            images, texts = [], []
            for example in tfds.as_numpy(builder.as_dataset(split=split, shuffle_files=False)):
                images.append(_square(Image.fromarray(example["image"]), side))
                texts.append("\n".join(_line(text.decode()) for text in example["captions"]["text"]))
            arrays[f"{part}/image"] = np.stack(images)
            arrays[f"{part}/captions"] = np.frombuffer("\0".join(texts).encode(), np.uint8)
        return arrays

    arrays = cached(f"{source} {folder.name} {side}", decode)
    limits = source.limits
    texts = {p: arrays.arrays[f"{p}/captions"].tobytes().decode().split("\0")[: limits[p]] for p in PARTS}
    images = {p: Pictures(arrays.arrays[f"{p}/image"], np.arange(len(texts[p]))) for p in PARTS}
    return Captioned(images, {p: [tuple(t.split("\n")) for t in texts[p]] for p in PARTS}, arrays.fingerprint)


def _line(text: str) -> str:
    """A text on one line, with single spaces."""
    return " ".join(text.split())


def _fingerprint(images: dict[str, Pictures], captions: dict[str, list[tuple[str, ...]]]) -> str:
    lines = {part: "\n".join("\t".join(row) for row in rows).encode() for part, rows in captions.items()}
    arrays = {f"{part}/captions": np.frombuffer(text, np.uint8) for part, text in lines.items()}
    return fingerprint({**arrays, **{f"{part}/image": pictures.joined() for part, pictures in images.items()}})
