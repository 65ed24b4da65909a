"""Inputs of a model that come as text, encoded files, arrays or rows of a table, such as those of a request.

`seqtasks predict` reads texts and paths of files. A request never names a file of the server: what it holds is written
to a folder of its own, and predicted from there.
"""

from __future__ import annotations

import base64
import binascii
import csv
import io
import wave
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from seqtasks.core.arrays import FloatArray
from seqtasks.core.errors import DataError
from seqtasks.task_types import (
    AnomalyTask,
    AudioTask,
    CaptionTask,
    CTCTask,
    ForecastTask,
    FramesTask,
    GlimpseTask,
    ImageTask,
    LanguageTask,
    SeriesLabelingTask,
    SeriesTask,
)
from seqtasks.task_types.base import Task

Kind = Literal["prompt", "texts", "image", "video", "sound", "table", "array", "words", "files"]
Input = str | Mapping[str, Any]
KINDS: Sequence[tuple[tuple[type[Task], ...], Kind]] = (
    ((LanguageTask,), "prompt"),
    ((ImageTask, GlimpseTask, CaptionTask), "image"),
    ((FramesTask,), "video"),
    ((AudioTask, CTCTask), "sound"),
    ((SeriesTask, ForecastTask, SeriesLabelingTask, AnomalyTask), "table"),
)
# Form of an input by kind: a text, or an object with this key.
FORMS: Mapping[Kind, Sequence[str]] = {
    "prompt": ("text",),
    "texts": ("text",),
    "words": ("text",),
    "image": ("base64", "values"),
    "video": ("base64", "values"),
    "sound": ("base64", "values"),
    "table": ("text", "rows", "base64"),
    "array": ("values",),
    "files": ("base64",),
}
# Suffixes of files of a kind; the first one is that of a file without a name.
SUFFIXES: Mapping[Kind, Sequence[str]] = {
    "image": (".png", ".jpg", ".jpeg", ".bmp"),
    "video": (".png", ".jpg", ".jpeg", ".bmp", ".gif"),
    "sound": (".wav",),
    "table": (".csv", ".tsv", ".txt", ".ts", ".tsf"),  # none that is compressed: a small file could fill the memory
}
MOST_PIXELS = 25_000_000  # maximum number of pixels of an image, which a small file can hold
RATE = 8000  # samples a second of a sound whose rate is not given


def kind_of(task: Task) -> Kind:
    """The kind of inputs of a task.

    Args:
        task: The task.

    Returns:
        The kind; `array` for a task without `predict`, whose model reads arrays.
    """
    for types, kind in KINDS:
        if isinstance(task, types):
            return kind
    if type(task).predict is Task.predict:
        return "array"
    if task.reads == "texts":
        return "texts"
    return "files" if task.reads == "paths" else "words"


def text_of(item: Input) -> str:
    """The text of an input.

    Raises:
        DataError: It is no text, or one that UTF-8 cannot encode.
    """
    if not isinstance(item, str):
        raise DataError("the input is an object; allowed: a text; send a text in quotes")
    try:
        item.encode()
    except UnicodeEncodeError as error:
        raise DataError("the text has half of a surrogate pair; allowed: Unicode text; send valid UTF-8") from error
    return item


def write_file(item: Input, kind: Kind, folder: Path, number: int) -> Path:
    """Writes an input to a file that the task can read.

    Args:
        item: The input.
        kind: Kind of inputs of the task.
        folder: Folder for the file.
        number: Number of the input, for the name of the file.

    Returns:
        Path of the file.

    Raises:
        DataError: The input is of another form than `FORMS`, or is damaged.
    """
    stem = folder / f"input{number}"
    if isinstance(item, str):
        if "text" not in FORMS[kind]:
            raise DataError(f"the input is a text; allowed: {forms(kind)}; send such an object")
        return _written(stem.with_suffix(".csv"), f"{text_of(item).strip()}\n".encode())
    form = next((form for form in FORMS[kind] if item.get(form) is not None), None)
    if form == "base64":
        return _decoded(item, kind, stem)
    if form == "rows":
        return _written(stem.with_suffix(".csv"), _table(item["rows"]).encode())
    if form == "values" and kind == "sound":
        path = stem.with_suffix(".wav")
        write_wav(path, array_of(item), item.get("rate") or RATE)
        return path
    if form == "values":
        return _image(array_of(item), stem.with_suffix(".png"))
    raise DataError(f"the input is an object with none of {', '.join(FORMS[kind])}; allowed: {forms(kind)}; send one")


def forms(kind: Kind) -> str:
    """Describes the form of the inputs of a kind, for messages.

    Example:
        >>> forms("image")
        '{"base64": …} or {"values": …}'
    """
    return " or ".join("a text" if form == "text" else f'{{"{form}": …}}' for form in FORMS[kind])


def array_of(item: Input) -> FloatArray:
    """The numbers of an input as an array.

    Raises:
        DataError: There are none, the lists have different lengths, or a number is not finite.
    """
    values = None if isinstance(item, str) else item.get("values")
    if values is None:
        raise DataError('the input has no "values"; allowed: nested lists of numbers; send {"values": …}')
    try:
        array = np.array(values, np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError(
            '"values" is no array of numbers; allowed: nested lists of equal lengths; send such lists'
        ) from error
    if not array.size or not np.isfinite(array).all():
        raise DataError('"values" is empty or has a number that is not finite; allowed: finite numbers; send some')
    return array


def write_wav(path: Path, samples: FloatArray, rate: int) -> None:
    """Writes a sound as a WAV file of 16 bits.

    Args:
        path: The file.
        samples: Samples from -1 to 1, `(time,)`.
        rate: Number of samples a second.

    Raises:
        DataError: The array has another shape, or the rate is not allowed.
    """
    if samples.ndim != 1 or not 1000 <= rate <= 192_000:
        raise DataError(
            f"the sound has shape {samples.shape} and rate {rate}; allowed: one list of samples from -1 to 1, and a "
            "rate from 1,000 to 192,000; send these"
        )
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((samples.clip(-1, 1) * 32767).astype("<i2").tobytes())


def _decoded(item: Mapping[str, Any], kind: Kind, stem: Path) -> Path:
    """Writes an encoded file. Of its name only the suffix counts."""
    suffix = Path(str(item.get("name") or "")).suffix.lower()
    allowed = SUFFIXES.get(kind, (suffix if suffix[1:].isalnum() and len(suffix) < 10 else "",))
    if suffix and suffix not in allowed:
        raise DataError(f"the file ends in {suffix[:20]!r}; allowed: {', '.join(allowed)}; name it by its format")
    try:
        data = base64.b64decode(item["base64"], validate=True)
    except (binascii.Error, ValueError, TypeError) as error:
        raise DataError('"base64" is not base64; allowed: an encoded file; encode the whole file') from error
    path = _written(stem.with_suffix(suffix or allowed[0]), data)
    if kind in ("image", "video"):
        _check_pixels(path)
    return path


def _check_pixels(path: Path) -> None:
    """Refuses an image that is too large, before it is decoded.

    Raises:
        DataError: The image is too large, or cannot be read.
    """
    try:
        with Image.open(path, formats=["PNG", "JPEG", "BMP", "GIF"]) as image:
            pixels = image.width * image.height
    except Exception as error:  # Pillow raises many types of errors for damaged files
        raise DataError("the file is no image that can be read; allowed: PNG, JPG, BMP; send such a file") from error
    if pixels > MOST_PIXELS:
        raise DataError(f"the image has {pixels:,} pixels; allowed: {MOST_PIXELS:,}; send a smaller one")


def _image(array: FloatArray, path: Path) -> Path:
    """Writes an array as an image of 8 bits."""
    if array.ndim not in (2, 3) or array.shape[2:] not in ((), (3,)) or array.size > MOST_PIXELS:
        raise DataError(
            f"the image has shape {array.shape}; allowed: (height, width) or (height, width, 3); send such lists"
        )
    if array.min() < 0 or array.max() > 255:
        raise DataError("the image has a brightness outside 0 to 255; allowed: 0 to 255; scale the numbers")
    Image.fromarray(array.round().astype(np.uint8)).save(path)
    return path


def _table(rows: Any) -> str:
    """Rows as CSV text."""
    if not rows or not all(isinstance(row, Mapping) and row for row in rows):
        raise DataError('"rows" is no list of objects; allowed: one object for each row, such as {"x": 1.5}; send some')
    text = io.StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(name for row in rows for name in row)))
    try:
        writer.writeheader()
        writer.writerows(rows)
        text.getvalue().encode()
    except (csv.Error, UnicodeEncodeError) as error:
        raise DataError(f"the rows cannot be written as a table ({error}); allowed: numbers and text") from error
    return text.getvalue()


def _written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path
