"""Plots of videos with the predicted label of each frame: strips and animated GIFs."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from seqtasks.core.arrays import PixelArray
from seqtasks.core.files import check_output, write_output
from seqtasks.task_types.common import style
from seqtasks.task_types.common.plots import export_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GREEN, RED, WHITE = "#55cc55", "#ff6655", "#ffffff"
SUFFIXES = (".gif", ".png")
SECONDS = 0.4  # duration of a frame in a GIF
_MIN_SIDE = 200  # minimum width and height of a frame in a GIF, in pixels


@style.styled
def frame_strip(
    videos: Sequence[PixelArray], predicted: Sequence[Sequence[str]], targets: Sequence[Sequence[str]]
) -> Figure:
    """Draws videos as rows of frames, with the predicted label above each frame.

    A label is green if it is right, red if it is wrong (the true label follows in brackets), and black if the true
    label is unknown.

    Args:
        videos: Videos, `(frames, height, width)` each, uint8.
        predicted: Predicted label of each frame of each video.
        targets: True label of each frame of each video; empty for a video whose labels are unknown.
    """
    columns = max(map(len, videos))
    figure = style.new_figure(1.0 * columns, 1.35 * len(videos) + 0.3)
    for row, video, labels, true in zip(
        figure.subplots(len(videos), columns, squeeze=False), videos, predicted, targets, strict=True
    ):
        for axes in row:
            axes.set_axis_off()
        for axes, frame, (text, right) in zip(row, video, _captions(labels, true), strict=False):
            axes.imshow(frame, cmap="gray", vmin=0, vmax=255)
            axes.set_title(text, fontsize=8, color="black" if right is None else style.RIGHT if right else style.WRONG)
    return figure


def write_video(path: Path, video: PixelArray, predicted: Sequence[str], targets: Sequence[str]) -> None:
    """Writes an animated GIF, or a PNG of all frames side by side, with the predicted labels.

    Args:
        path: Path of the file, ending in .gif or .png.
        video: Video, `(frames, height, width)`, uint8.
        predicted: Predicted label of each frame.
        targets: True label of each frame; empty if they are unknown.

    Raises:
        ConfigError: The path has another ending, or the file cannot be written.
    """
    check_output(path, "--strip", SUFFIXES)
    if path.suffix.lower() == ".png":
        export_figure(frame_strip([video], [predicted], [targets]), path)
    else:
        first, *following = [
            _gif_frame(frame, *caption) for frame, caption in zip(video, _captions(predicted, targets), strict=True)
        ]
        save = functools.partial(
            first.save, format="GIF", save_all=True, append_images=following, duration=int(1000 * SECONDS), loop=0
        )
        write_output(path, save)


def _captions(predicted: Sequence[str], targets: Sequence[str]) -> list[tuple[str, bool | None]]:
    """Returns the caption of each frame, and whether its label is right; None: unknown."""
    if not len(targets):
        return [(label, None) for label in predicted]
    pairs = zip(predicted, targets, strict=True)
    return [(label if label == true else f"{label} ({true})", label == true) for label, true in pairs]


def _gif_frame(frame: PixelArray, text: str, right: bool | None) -> Image.Image:
    """Enlarges a frame and writes its caption above it."""
    factor = -(-_MIN_SIDE // max(frame.shape))
    picture = Image.fromarray(np.kron(frame, np.ones((factor, factor), np.uint8))).convert("RGB")
    canvas = Image.new("RGB", (picture.width, picture.height + 20))
    canvas.paste(picture, (0, 20))
    # Pillow's built-in font has the characters of Latin-1 only.
    text = text.encode("latin-1", "replace").decode("latin-1")
    ImageDraw.Draw(canvas).text((4, 4), text, fill=WHITE if right is None else GREEN if right else RED)
    return canvas
