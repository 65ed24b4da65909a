"""Reads image files: IDX files in the format of MNIST, folders named by label, single images.

Images are converted to 8-bit grey. Transparent parts become black, or white if the visible parts are dark, so
that these stay visible.
"""

from __future__ import annotations

import contextlib
import gzip
import logging
import math
import re
import warnings
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageOps

from seqtasks.core.errors import DataError
from seqtasks.core.files import utf8_name

log = logging.getLogger(__name__)

IDX = re.compile(r"(train|t10k)-(images|labels)[-.]idx[13]-ubyte(\.gz)?")
SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp"}
PIECE = 1 << 20  # number of bytes read at once
FORMATS = ("PNG", "JPEG", "BMP")  # for some other formats Pillow runs external programs
EXPECTED = "the IDX files of MNIST (train-images-idx3-ubyte …), train/<label>/*.png, or <label>/*.png"


def read_folder(folder: Path) -> dict[str, np.ndarray]:
    """Reads the labelled images of a folder.

    The folder has the four files of MNIST (gzipped or not, `-idx` or `.idx`; those of the test set are
    optional), or `train/<label>/*` and optionally `test/<label>/*`, or `<label>/*`. Images of label folders are
    in a fixed random order, so that the first n are a random sample.

    Returns:
        `train/image`, uint8 `(images, height, width)`; `train/label`, int64 `(images,)`; `classes`, the name of each
        label, `(classes,)`; and, if there is a test set, `test/image` and `test/label`.

    Raises:
        DataError: A file cannot be read, files are inconsistent, or there are fewer than two labels.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder; give one with {EXPECTED}")
    names = sorted(path.name for path in folder.iterdir())
    data = _read_idx_files(folder, names) if any(map(IDX.fullmatch, names)) else _read_label_folders(folder)
    if len(data["classes"]) < 2:
        raise DataError(
            f"{folder} has only the label {data['classes'][0]}; allowed: two or more labels; add images of another"
        )
    return data


def load_image(
    path: Path, shape: tuple[int, int] | None, invert: Literal["auto", "yes", "no"] = "auto"
) -> tuple[np.ndarray, bool]:
    """Reads an image for prediction.

    An image of another shape is scaled with its proportions kept, and padded with the median of its border.

    Args:
        path: A PNG, JPG or BMP file.
        shape: Height and width of the result; None: those of the image.
        invert: Whether to invert the brightness; `"auto"`: if the border is bright, as of dark ink on white paper.

    Returns:
        The image, uint8 `(height, width)`, and whether the brightness was inverted.

    Raises:
        DataError: The file does not exist, or is not an image.
    """
    if not path.is_file():
        problem = "is a folder" if path.is_dir() else "does not exist"
        raise DataError(f"{path} {problem}; give a PNG, JPG or BMP file")
    grey = read_picture(path)
    background = int(np.median(np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])))
    inverted = invert == "yes" or (invert == "auto" and background > 127)
    if inverted:
        grey, background = 255 - grey, 255 - background
    if shape is not None and grey.shape != shape:
        grey = _fit(grey, shape, background)
    return grey, inverted


def _fit(grey: np.ndarray, shape: tuple[int, int], background: int) -> np.ndarray:
    """Scales an image to a shape with its proportions kept; pads it with the brightness of the background."""
    scale = min(shape[0] / grey.shape[0], shape[1] / grey.shape[1])
    # ImageOps.pad scales the shorter side of a very long image to 0 pixels.
    height, width = (max(1, round(side * scale)) for side in grey.shape)
    picture = Image.new("L", shape[::-1], background)
    scaled = Image.fromarray(grey).resize((width, height), Image.Resampling.LANCZOS)
    picture.paste(scaled, ((shape[1] - width) // 2, (shape[0] - height) // 2))
    return np.array(picture)


def _read_idx_files(folder: Path, names: list[str]) -> dict[str, np.ndarray]:
    """Reads the IDX files of a folder, see `read_folder`.

    Raises:
        DataError: A file is missing or damaged, or files are inconsistent.
    """
    paths: dict[str, Path] = {}
    for name in names:
        if match := IDX.fullmatch(name):
            paths.setdefault(f"{match[1]}-{match[2]}", folder / name)  # names are sorted: plain before .gz
    _warn_of_ignored(folder, len(names) - len(paths))
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
            values, size = np.unique(labels), _size(images[0])
        if len(images) != len(labels):
            raise DataError(
                f"{label_path} has {len(labels)} labels, expected {len(images)}, one for each image; "
                "give matching files"
            )
        if _size(images[0]) != size:
            raise DataError(
                f"{image_path} has images of {_size(images[0])}, expected {size} as in training; give matching files"
            )
        if unknown := sorted(set(labels.tolist()) - set(values.tolist())):
            raise DataError(
                f"{label_path} has the label {unknown[0]}, expected one of {values.tolist()}; give matching files"
            )
        data |= {f"{split}/image": images, f"{split}/label": np.searchsorted(values, labels).astype(np.int64)}
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
            expected = header + math.prod(shape)
            # In pieces, because the size in a damaged header may be huge, and so may be the content of a gzip file.
            while len(data) <= expected and (piece := file.read(min(PIECE, expected + 1 - len(data)))):
                data += piece
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read ({error}); expected a whole IDX file; download it again") from error
    if data[:4] != magic or len(data) < header:
        raise DataError(
            f"{path} starts with the {min(4, len(data))} bytes [{data[:4].hex(' ')}] and has "
            f"{_length(path, data, expected)}, expected [{magic.hex(' ')}] (IDX, unsigned bytes, {dimensions} "
            f"dimensions) and at least {header}; "
            "download it again"
        )
    if len(data) != expected or 0 in shape:
        raise DataError(
            f"{path} has {_length(path, data, expected)}, expected {expected} for the shape {shape} in its header, "
            "without a 0; download it again"
        )
    return np.frombuffer(data, np.uint8, offset=header).reshape(shape)  # writable, as a bytearray is


def _length(path: Path, data: bytearray, expected: int) -> str:
    """Number of bytes of a file for messages; not all of a file that is too long were read."""
    if len(data) <= expected:
        return f"{len(data)} bytes"
    return f"more than {expected} bytes" if path.suffix == ".gz" else f"{path.stat().st_size} bytes"


def _read_label_folders(folder: Path) -> dict[str, np.ndarray]:
    """Reads the images of label folders, see `read_folder`.

    Raises:
        DataError: There is no image, an image is damaged or has another size, or a label of the test set is not
            in training.
    """
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
                raise DataError(
                    f"{root / label}: no such label in {roots['train']}, expected one of {classes}; add it there or "
                    "remove this folder"
                )
            entries = sorted((root / label).iterdir())
            pictures = [path for path in entries if path.suffix.lower() in SUFFIXES and path.name[0] != "."]
            if not pictures:
                raise DataError(
                    f"{root / label} has no image; allowed: PNG, JPG or BMP files; add some or remove the folder"
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
            raise DataError(f"{root} has no labelled images; allowed: {EXPECTED}; add images")
        order = np.random.default_rng(0).permutation(len(images))
        data[f"{split}/image"] = np.stack(images)[order]
        data[f"{split}/label"] = np.array(targets, np.int64)[order]
    _warn_of_ignored(folder, ignored)
    return data


def read_picture(path: Path, mode: Literal["L", "RGB"] = "L") -> np.ndarray:
    """Reads an image with 8 bits per channel, without transparency, and rotated by its EXIF orientation.

    Transparent parts become black, or white if the visible parts are dark; see `flatten`.

    Args:
        path: A PNG, JPG or BMP file; other formats are not read.
        mode: `"L"` for grey, `"RGB"` for colour.

    Returns:
        uint8 `(height, width)`, or `(height, width, 3)`.

    Raises:
        DataError: The file does not exist, is damaged, or has another format.
    """
    try:
        with open_picture(path, FORMATS) as opened:
            # Phones store photographs in the orientation of the sensor.
            return flatten(ImageOps.exif_transpose(opened), mode)[0]
    except Exception as error:  # OSError, SyntaxError, struct.error, ValueError and others for damaged files
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{path} cannot be read as an image ({reason}); give a PNG, JPG or BMP file") from error


@contextlib.contextmanager
def open_picture(path: Path, formats: Sequence[str]) -> Iterator[Image.Image]:
    """Opens an image whose pixels are read in the body; one of more than `Image.MAX_IMAGE_PIXELS` is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(path, formats=list(formats)) as opened:
            yield opened


def flatten(
    picture: Image.Image, mode: Literal["L", "RGB"] = "L", white: bool | None = None
) -> tuple[np.ndarray, bool]:
    """Converts an image of any mode to 8 bits per channel without transparency.

    Of 16 bits, the upper 8 are kept.

    Args:
        picture: An image of Pillow.
        mode: `"L"` for grey, `"RGB"` for colour.
        white: Whether transparent parts become white instead of black; None: if the visible parts are dark.

    Returns:
        The image, uint8 `(height, width)` or `(height, width, 3)`, and whether transparent parts are white.
    """
    if picture.mode.startswith("I"):  # 16 bits, which Pillow would clip at 255
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
    """Names of the subfolders that are not hidden, sorted."""
    entries = folder.iterdir() if folder.is_dir() else ()
    return sorted(utf8_name(path) for path in entries if path.is_dir() and path.name[0] != ".")


def _size(grey: np.ndarray) -> str:
    """Width and height of an image for messages."""
    return f"{grey.shape[1]}×{grey.shape[0]} pixels"


def _warn_of_ignored(folder: Path, count: int) -> None:
    """Logs the number of ignored files of a folder, if there are any."""
    if count:
        log.warning("%s: %d hidden or other files ignored; images are PNG, JPG or BMP", folder, count)
