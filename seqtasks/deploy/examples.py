"""Example inputs of each kind, from which a server compiles its functions before the first request."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from PIL import Image

from seqtasks.deploy.inputs import RATE, Input, Kind, write_wav

SIDE = 280  # side of the example image in pixels
PAPER = 255  # brightness of its background


def example_image() -> Image.Image:
    """A black stroke on white paper."""
    image = Image.new("L", (SIDE, SIDE), PAPER)
    image.paste(0, (120, 60, 160, 220))
    return image


def example_sound() -> Mapping[str, Any]:
    """Half a second of noise."""
    noise = np.random.default_rng(0).normal(0, 0.03, RATE // 2)
    with TemporaryDirectory(prefix="seqtasks-") as folder:
        path = Path(folder) / "noise.wav"
        write_wav(path, noise, RATE)
        return {"base64": base64.b64encode(path.read_bytes()).decode(), "name": path.name}


def examples(kind: Kind) -> Sequence[Sequence[Input]]:
    """Requests that every model of a kind can answer; none where that depends on the data.

    From texts that differ in all their sizes, Keras traces functions that serve all sizes.

    Args:
        kind: Kind of the inputs.
    """
    if kind == "texts":
        text = "a", "some more words", "even more of several lengths"
        return [[text[0]], [text[1]], [text[2]], text[:2], text]
    if kind in ("image", "video"):
        data = io.BytesIO()
        example_image().save(data, "PNG")
        image = {"base64": base64.b64encode(data.getvalue()).decode(), "name": "example.png"}
        return [[image], [image, image]]
    return [[example_sound()]] if kind == "sound" else []
