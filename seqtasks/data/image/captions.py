"""Images with captions: generated scenes of digits, folders such as Flickr8k, COCO."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from seqtasks.core.arrays import IntArray, PixelArray
from seqtasks.core.errors import DataError
from seqtasks.data import tfds
from seqtasks.data.cache import cached, fingerprint
from seqtasks.data.image import files, labelled_images
from seqtasks.data.image.digit_scenes import scenes, sentence
from seqtasks.data.source import Source, prepared_folder
from seqtasks.data.tables import Table, read_table

log = logging.getLogger(__name__)
FILE = "captions.csv"
SHARES = {"validation": 0.1, "test": 0.1}
PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Pictures:
    """Images that are there already.

    Attributes:
        array: uint8 (n, height, width, 3).
    """

    array: PixelArray

    def __len__(self) -> int:
        return len(self.array)

    def __getitem__(self, index: slice | IntArray) -> Pictures:
        return Pictures(self.array[index])

    @property
    def shape(self) -> tuple[int, ...]:
        """Height, width and colours of an image."""
        return tuple(self.array.shape[1:])

    def images(self, epoch: int) -> PixelArray:
        """The images, the same in every epoch."""
        return self.array


@dataclass(frozen=True)
class Captioned:
    """Images and what may be said of each, by split.

    Attributes:
        images: `Scenes` or `Pictures`.
        captions: one or more sentences an image.
        fingerprint: of all.
    """

    images: dict[str, Any]
    captions: dict[str, list[tuple[str, ...]]]
    fingerprint: str


def load(source: Source, counts: dict[str, int], side: int) -> Captioned:
    """Images and captions of a source.

    Args:
        source: labelled images of digits, of which scenes are made: `tfds:mnist`, the built-in ones;
            `tfds:coco_captions`; or a folder with `captions.csv`.
        counts: scenes of each split.
        side: height and width that other images are scaled to.

    Raises:
        DataError: missing or damaged data; images that `captions.csv` names and that are not there.
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
    """One image in colours, cut to its middle square and scaled, uint8 (side, side, 3).

    Raises:
        DataError: not there, or not an image.
    """
    return _square(Image.fromarray(files.read_picture(path, "RGB")), side)


def _square(image: Image.Image, side: int) -> PixelArray:
    image, short = image.convert("RGB"), min(image.size)
    left, top = ((size - short) // 2 for size in image.size)
    box = (left, top, left + short, top + short)
    return np.asarray(image.resize((side, side), Image.Resampling.BILINEAR, box))


def _folder(source: Source, side: int) -> Captioned:
    folder = source.folder
    assert folder is not None
    path = folder / FILE
    if not path.is_file():
        raise DataError(f"{folder} has no {FILE}; it takes one with the columns image,caption and perhaps split")
    table = read_table(path, trim=True)
    names_of_rows, texts = (table.column(name, "name the columns image,caption") for name in ("image", "caption"))
    if empty := [number for number, text in zip(table.lines, texts, strict=True) if not text.strip()]:
        raise DataError(f"{path}, row {empty[0]}: the caption is empty; write one or remove the row")
    captions: dict[str, tuple[str, ...]] = {}  # of each image, each once
    for name, text in zip(names_of_rows, texts, strict=True):
        captions[name] = tuple(dict.fromkeys((*captions.get(name, ()), _line(text))))
    names = list(captions)
    places = {name: _place(folder, name) for name in names}
    if gone := [name for name, place in places.items() if place is None]:
        raise DataError(
            f"{path} names {len(gone)} of {len(names)} images that are not there, such as {gone[0]}; put them into "
            f"{folder} or {folder / 'Images'}, or remove their rows"
        )
    members = {part: chosen[: source.limits[part]] for part, chosen in _members(table, names_of_rows).items()}
    needed = {name for part in members.values() for name in part}
    pictures = {name: read_image(place, side) for name, place in places.items() if place is not None and name in needed}
    images = {part: Pictures(np.stack([pictures[name] for name in chosen])) for part, chosen in members.items()}
    sentences = {part: [captions[name] for name in chosen] for part, chosen in members.items()}
    return Captioned(images, sentences, _fingerprint(images, sentences))


def _place(folder: Path, name: str) -> Path | None:
    return next((place for place in (folder / name, folder / "Images" / name) if place.is_file()), None)


def _members(table: Table, names_of_rows: Sequence[str]) -> dict[str, list[str]]:
    """The images of each split: by the column `split`, or a tenth each for validation and test, always the same."""
    path, names = table.path, list(dict.fromkeys(names_of_rows))
    if "split" in table.header:
        splits: dict[str, str] = {}
        for name, split in zip(names_of_rows, table.column("split", "keep one"), strict=True):
            splits.setdefault(name, {"val": "validation", "dev": "validation"}.get(split, split))
        members = {part: [name for name in names if splits[name] == part] for part in PARTS}
        if other := sorted(set(splits.values()) - set(PARTS)):
            raise DataError(f"{path}: split is {other[0]!r}; allowed: {', '.join(PARTS)}")
    else:
        order = [names[i] for i in np.random.default_rng(0).permutation(len(names))]
        n = {part: max(1, round(share * len(names))) for part, share in SHARES.items()}
        members = {"validation": order[: n["validation"]], "test": order[n["validation"] : sum(n.values())]}
        members = {"train": order[sum(n.values()) :], **members}
    if nothing := [part for part, chosen in members.items() if not chosen]:
        raise DataError(
            f"{path} leaves no image for {nothing[0]}; it has {len(names)}; give at least one for each split"
        )
    return members


def _coco(source: Source, side: int) -> Captioned:
    """Its training split, of which a tenth is held out for validation; test is its validation split."""
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
    most = source.limits
    texts = {p: arrays.arrays[f"{p}/captions"].tobytes().decode().split("\0")[: most[p]] for p in PARTS}
    images = {p: Pictures(arrays.arrays[f"{p}/image"][: most[p]]) for p in PARTS}
    return Captioned(images, {p: [tuple(t.split("\n")) for t in texts[p]] for p in PARTS}, arrays.fingerprint)


def _line(text: str) -> str:
    return " ".join(text.split())


def _fingerprint(images: dict[str, Pictures], captions: dict[str, list[tuple[str, ...]]]) -> str:
    lines = {part: "\n".join("\t".join(row) for row in rows).encode() for part, rows in captions.items()}
    arrays = {f"{part}/captions": np.frombuffer(text, np.uint8) for part, text in lines.items()}
    return fingerprint(arrays | {f"{part}/image": pictures.array for part, pictures in images.items()})
