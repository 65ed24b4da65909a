"""Reads image files.

Images are converted to 8-bit grey. Transparent parts become black, or white if the visible parts are dark, so
that these stay visible.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageOps

from seqtasks.core.errors import DataError

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp"}
FORMATS = ("PNG", "JPEG", "BMP")  # for some other formats Pillow runs external programs


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
    """Opens an image whose pixels are read in the body; one of more than `Image.MAX_IMAGE_PIXELS` is an error.

    Warnings of Pillow about damaged parts besides the pixels, such as an animation, are not shown.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
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
