"""Plots of videos with the predicted label of each frame, as strips or animated."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from seqtasks.core.arrays import PixelArray
from seqtasks.core.files import check_output, write_output
from seqtasks.task_types.common.plots import export_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GREEN, RED, WHITE = "#55cc55", "#ff6655", "#ffffff"
SUFFIXES = (".gif", ".png")
SECONDS = 0.4  # a frame of a GIF
_LARGE = 200  # pixels of a frame, at least


def frame_strip(
    videos: Sequence[PixelArray], answers: Sequence[Sequence[str]], wanted: Sequence[Sequence[str]]
) -> Figure:
    """Videos one below the other, their frames side by side, the answer above each; red where it is wrong.

    Args:
        videos: uint8 (frames, height, width) each.
        answers: a label for each frame of each video.
        wanted: likewise; empty where they are not known.
    """
    from matplotlib.figure import Figure

    columns = max(map(len, videos))
    figure = Figure(figsize=(1.0 * columns, 1.35 * len(videos)), layout="constrained")
    for row, video, answer, true in zip(
        figure.subplots(len(videos), columns, squeeze=False), videos, answers, wanted, strict=True
    ):
        for axes in row:
            axes.set_axis_off()
        for axes, frame, (text, right) in zip(row, video, _captions(answer, true), strict=False):
            axes.imshow(frame, cmap="gray", vmin=0, vmax=255)
            axes.set_title(text, fontsize=8, color="black" if right is None else "green" if right else "red")
    return figure


def write_video(path: Path, video: PixelArray, answers: Sequence[str], wanted: Sequence[str]) -> None:
    """Writes a moving GIF, or a PNG of all frames side by side.

    Args:
        path: ends in .gif or .png.
        video: uint8 (frames, height, width).
        answers: a label for each frame.
        wanted: likewise; empty where they are not known.

    Raises:
        ConfigError: another ending, or it cannot be written.
    """
    check_output(path, "--strip", SUFFIXES)
    if path.suffix.lower() == ".png":
        export_figure(frame_strip([video], [answers], [wanted]), path)
    else:
        first, *following = [
            _large(frame, *caption) for frame, caption in zip(video, _captions(answers, wanted), strict=True)
        ]
        save = functools.partial(
            first.save, format="GIF", save_all=True, append_images=following, duration=int(1000 * SECONDS), loop=0
        )
        write_output(path, save)


def _captions(answers: Sequence[str], wanted: Sequence[str]) -> list[tuple[str, bool | None]]:
    """Of each frame the text, and whether the answer is right; None: that is not known."""
    if not len(wanted):
        return [(answer, None) for answer in answers]
    pairs = zip(answers, wanted, strict=True)
    return [(answer if answer == true else f"{answer} ({true})", answer == true) for answer, true in pairs]


def _large(frame: PixelArray, text: str, right: bool | None) -> Image.Image:
    factor = -(-_LARGE // max(frame.shape))
    picture = Image.fromarray(np.kron(frame, np.ones((factor, factor), np.uint8))).convert("RGB")
    canvas = Image.new("RGB", (picture.width, picture.height + 20))
    canvas.paste(picture, (0, 20))
    # The built-in font of Pillow has no other letters than these.
    text = text.encode("latin-1", "replace").decode("latin-1")
    ImageDraw.Draw(canvas).text((4, 4), text, fill=WHITE if right is None else GREEN if right else RED)
    return canvas
