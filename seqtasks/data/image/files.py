"""Image files: IDX files as of MNIST, folders named by label, single images.

Pictures become 8-bit grey. Transparent parts become black, or white where the drawing
itself is dark, so that it stays visible.
"""

from __future__ import annotations

import gzip
import logging
import math
import re
import zlib
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageOps

from seqtasks.core.errors import DataError
from seqtasks.core.files import utf8_name

log = logging.getLogger(__name__)

IDX = re.compile(r"(train|t10k)-(images|labels)[-.]idx[13]-ubyte(\.gz)?")
SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp"}
FORMATS = ("PNG", "JPEG", "BMP")  # Pillow would run other programs for some of the rest
EXPECTED = "train-images-idx3-ubyte and its companions, train/<label>/*.png, or <label>/*.png"


def read_folder(folder: Path) -> dict[str, np.ndarray]:
    """The labelled pictures of a folder.

    Reads the four MNIST files (gzipped or not, `-idx` or `.idx`; those of the test set may
    be absent), or `train/<label>/*` with or without `test/<label>/*`, or `<label>/*`.
    Label folders are read in a fixed mixed order: the first n are a fair sample.

    Returns:
        `train/image` uint8 (n, height, width), `train/label` int64 (n,), and `classes` text
        (c,), the name of each label; `test/image` and `test/label` where there are any.

    Raises:
        DataError: anything unreadable or inconsistent, or fewer than two labels.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder; give one with {EXPECTED}")
    names = sorted(path.name for path in folder.iterdir())
    data = _read_idx_files(folder, names) if any(map(IDX.fullmatch, names)) else _read_label_folders(folder)
    if len(data["classes"]) < 2:
        raise DataError(f"{folder} has only the label {data['classes'][0]}; classification takes two or more")
    return data


def load_image(
    path: Path, shape: tuple[int, int] | None, invert: Literal["auto", "yes", "no"] = "auto"
) -> tuple[np.ndarray, bool]:
    """One picture for prediction, and whether it was inverted.

    It is scaled with its proportions kept, and padded with the median of its border. One
    that has the shape already is not resampled.

    Args:
        shape: (height, width) of the result; None: those of the picture.
        invert: `auto` inverts where the border is bright: dark ink on white paper.

    Returns:
        uint8 (height, width), and true where bright and dark were exchanged.

    Raises:
        DataError: no such file, or not a picture.
    """
    if not path.is_file():
        raise DataError(f"{path} is {'a folder' if path.is_dir() else 'not there'}; give a PNG, JPG or BMP file")
    grey = read_picture(path)
    ground = int(np.median(np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])))
    inverted = invert == "yes" or (invert == "auto" and ground > 127)
    if inverted:
        grey, ground = 255 - grey, 255 - ground
    if shape is not None and grey.shape != shape:
        grey = _fit(grey, shape, ground)
    return grey, inverted


def _fit(grey: np.ndarray, shape: tuple[int, int], ground: int) -> np.ndarray:
    scale = min(shape[0] / grey.shape[0], shape[1] / grey.shape[1])
    # ImageOps.pad makes an empty picture of a line that is far longer than wide.
    height, width = (max(1, round(side * scale)) for side in grey.shape)
    picture = Image.new("L", shape[::-1], ground)
    scaled = Image.fromarray(grey).resize((width, height), Image.Resampling.LANCZOS)
    picture.paste(scaled, ((shape[1] - width) // 2, (shape[0] - height) // 2))
    return np.array(picture)


def _read_idx_files(folder: Path, names: list[str]) -> dict[str, np.ndarray]:
    paths: dict[str, Path] = {}
    for name in names:
        if match := IDX.fullmatch(name):
            paths.setdefault(f"{match[1]}-{match[2]}", folder / name)  # in sorted order: plain before .gz
    _tell_ignored(folder, len(names) - len(paths))
    data: dict[str, np.ndarray] = {}
    for split, stem in (("train", "train"), ("test", "t10k")):
        missing = [part for part in ("images", "labels") if f"{stem}-{part}" not in paths]
        if missing == ["images", "labels"] and split == "test":
            continue
        if missing:
            raise DataError(f"{folder} has no file {stem}-{missing[0]}-idx…-ubyte, but others of its kind; add it")
        image_path, label_path = paths[f"{stem}-images"], paths[f"{stem}-labels"]
        images, labels = _read_idx(image_path, 3), _read_idx(label_path, 1)
        if split == "train":
            # Sets such as EMNIST letters count from 1: targets are places among the labels in use.
            values, size = np.unique(labels), _size(images[0])
        if len(images) != len(labels):
            raise DataError(f"{label_path} has {len(labels)} labels, expected {len(images)}, one for each picture")
        if _size(images[0]) != size:
            raise DataError(f"{image_path} has {_size(images[0])}, expected {size} as the training pictures")
        if strange := sorted(set(labels.tolist()) - set(values.tolist())):
            raise DataError(f"{label_path} has the label {strange[0]}, expected one of {values.tolist()}")
        data |= {f"{split}/image": images, f"{split}/label": np.searchsorted(values, labels).astype(np.int64)}
    return {**data, "classes": values.astype(str)}


def _read_idx(path: Path, dimensions: int) -> np.ndarray:
    """The uint8 array of an IDX file."""
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read ({error}); expected a whole IDX file; fetch it again") from error
    magic, header = bytes([0, 0, 8, dimensions]), 4 + 4 * dimensions
    if data[:4] != magic or len(data) < header:
        raise DataError(
            f"{path} starts with the {min(4, len(data))} bytes [{data[:4].hex(' ')}] and has {len(data)} in all, "
            f"expected [{magic.hex(' ')}] (IDX, unsigned bytes, {dimensions} dimensions) and at least {header}"
        )
    shape = tuple(int(n) for n in np.frombuffer(data, ">u4", dimensions, offset=4))
    expected = header + math.prod(shape)
    if len(data) != expected or 0 in shape:
        raise DataError(f"{path} has {len(data)} bytes, expected {expected} for {shape} in its header, without a 0")
    return np.frombuffer(data, np.uint8, offset=header).reshape(shape).copy()  # writable


def _read_label_folders(folder: Path) -> dict[str, np.ndarray]:
    roots, ignored = {"train": folder}, 0
    if _subfolders(folder / "train"):
        roots = {split: folder / split for split in ("train", "test") if (folder / split).is_dir()}
        ignored = len(list(folder.iterdir())) - len(roots)
    classes = sorted(_subfolders(roots["train"]), key=lambda name: (int(name) if name.isdecimal() else math.inf, name))
    data: dict[str, np.ndarray] = {"classes": np.array(classes, dtype=np.str_)}
    first: tuple[Path, np.ndarray] | None = None
    for split, root in roots.items():
        labels = _subfolders(root)
        ignored += len(list(root.iterdir())) - len(labels)
        images, targets = [], []
        for label in labels:
            if label not in classes:
                raise DataError(f"{root / label}: no such label in {roots['train']}, expected one of {classes}")
            entries = sorted((root / label).iterdir())
            pictures = [path for path in entries if path.suffix.lower() in SUFFIXES and path.name[0] != "."]
            if not pictures:
                raise DataError(
                    f"{root / label} holds no picture, expected PNG, JPG or BMP files; add some or remove it"
                )
            ignored += len(entries) - len(pictures)
            for path in pictures:
                grey = read_picture(path)
                first = first or (path, grey)
                if grey.shape != first[1].shape:
                    raise DataError(
                        f"{path} is {_size(grey)}, expected {_size(first[1])} as {first[0]}; scale all to one size"
                    )
                images.append(grey)
                targets.append(classes.index(label))
        if not images:
            raise DataError(f"{root} holds no labelled pictures, expected {EXPECTED}")
        order = np.random.default_rng(0).permutation(len(images))
        data[f"{split}/image"] = np.stack(images)[order]
        data[f"{split}/label"] = np.array(targets, np.int64)[order]
    _tell_ignored(folder, ignored)
    return data


def read_picture(path: Path, mode: Literal["L", "RGB"] = "L") -> np.ndarray:
    """A picture as it is shown: turned by its EXIF orientation, 16 bits cut to their upper 8, nothing transparent.

    Transparent parts become black, or white where the drawing itself is dark.

    Args:
        path: a PNG, JPG or BMP file; others are not opened.
        mode: "L" for grey, "RGB" for colours.

    Returns:
        uint8 (height, width), or (height, width, 3).

    Raises:
        DataError: no such picture, or a damaged one.
    """
    try:
        with Image.open(path, formats=FORMATS) as opened:
            # Phones store photographs lying on their side.
            return flatten(ImageOps.exif_transpose(opened), mode)[0]
    # Damaged files raise OSError, SyntaxError, struct.error, ValueError and others.
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{path} cannot be read as an image ({reason}); give a PNG, JPG or BMP picture") from error


def flatten(
    picture: Image.Image, mode: Literal["L", "RGB"] = "L", white: bool | None = None
) -> tuple[np.ndarray, bool]:
    """A picture of any mode without transparency.

    Args:
        picture: of Pillow.
        mode: "L" for grey, "RGB" for colours.
        white: whether transparent parts become white, not black; None: where the drawing itself is dark.

    Returns:
        uint8 (height, width) or (height, width, 3), and whether transparent parts are white.
    """
    if picture.mode.startswith("I"):  # 16 bits; Pillow would cut them off at 255
        grey = (np.clip(np.asarray(picture, np.int64), 0, 65535) >> 8).astype(np.uint8)
        return np.array(Image.fromarray(grey).convert(mode)), bool(white)
    if not picture.has_transparency_data:
        return np.array(picture.convert(mode)), bool(white)
    colours = picture.convert("RGBA")
    value, alpha = np.moveaxis(np.asarray(colours.convert("LA"), np.float64), -1, 0)
    if white is None:
        white = bool((value * alpha).sum() < 127.5 * alpha.sum())
    if mode == "RGB":
        value, alpha = np.asarray(colours, np.float64)[..., :3], alpha[..., None]
    return np.asarray(np.rint((value * alpha + 255.0 * white * (255 - alpha)) / 255), np.uint8), white


def _subfolders(folder: Path) -> list[str]:
    entries = folder.iterdir() if folder.is_dir() else ()
    return sorted(utf8_name(path) for path in entries if path.is_dir() and path.name[0] != ".")


def _size(grey: np.ndarray) -> str:
    return f"{grey.shape[1]}×{grey.shape[0]} pixels"


def _tell_ignored(folder: Path, count: int) -> None:
    if count:
        log.warning("%s: %d hidden or other files ignored; pictures are PNG, JPG or BMP", folder, count)
