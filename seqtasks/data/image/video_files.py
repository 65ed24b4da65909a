"""Reads videos: a GIF file, a folder of images, or several image files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageOps, ImageSequence

from seqtasks.core.arrays import PixelArray
from seqtasks.core.errors import DataError
from seqtasks.data.image import files

MOST = 1000  # maximum number of frames


def read_video(names: Sequence[str], side: int, invert: Literal["auto", "yes", "no"] = "auto") -> PixelArray:
    """Reads a video as grey frames; frames of another size are scaled with their proportions kept.

    Args:
        names: Name of a GIF file, name of a folder whose images are read in the order of their names, or names of
            images.
        side: Height and width of a frame in pixels.
        invert: Whether to invert the brightness, see `files.load_image`; `"auto"` uses the first frame of a GIF.

    Returns:
        uint8 `(frames, side, side)`.

    Raises:
        DataError: The video does not exist, is damaged or too long, or several videos were given.
    """
    paths = [Path(name) for name in names]
    videos = [path for path in paths if path.is_dir() or path.suffix.lower() == ".gif"]
    if videos and len(paths) > 1:
        raise DataError(f"{videos[0]} is a video, but {len(paths)} names were given; give one video at a time")
    if videos and videos[0].is_dir():
        paths = sorted(p for p in videos[0].iterdir() if p.suffix.lower() in files.SUFFIXES and p.name[0] != ".")
        if not paths:
            raise DataError(f"{videos[0]} has no image; allowed: PNG, JPG or BMP files; name another folder")
    elif videos:
        return _gif(videos[0], side, invert)
    if len(paths) > MOST:
        raise DataError(f"{len(paths)} images; allowed: {MOST} or fewer in a video; give a part of them")
    return np.stack([files.load_image(path, (side, side), invert)[0] for path in paths])


def _gif(path: Path, side: int, invert: str) -> PixelArray:
    """Reads a GIF file, see `read_video`."""
    if not path.is_file():
        raise DataError(f"{path} does not exist; give a GIF file, or images")
    frames: list[PixelArray] = []
    white: bool | None = None
    try:
        with files.open_picture(path, ["GIF"]) as opened:
            for frame in ImageSequence.Iterator(opened):
                if len(frames) == MOST:
                    raise DataError(f"{path} has more than {MOST} frames; allowed: {MOST} or fewer; cut it")
                pixels, white = files.flatten(frame, "L", white)
                grey = Image.fromarray(pixels)
                if grey.size != (side, side):
                    grey = ImageOps.pad(grey, (side, side), Image.Resampling.LANCZOS)
                frames.append(np.array(grey))
    except DataError:
        raise
    except Exception as error:  # Pillow raises many types of errors for damaged files
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{path} cannot be read ({reason}); expected a GIF; write the file again") from error
    video = np.stack(frames)
    edges = np.concatenate([video[0][0], video[0][-1], video[0][:, 0], video[0][:, -1]])
    return 255 - video if invert == "yes" or (invert == "auto" and np.median(edges) > 127) else video
