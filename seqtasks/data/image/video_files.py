"""Video files: a GIF, a folder of images, or several images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageOps, ImageSequence

from seqtasks.core.arrays import PixelArray
from seqtasks.core.errors import DataError
from seqtasks.data.image import files

MOST = 1000  # frames


def read_video(names: Sequence[str], side: int, invert: Literal["auto", "yes", "no"] = "auto") -> PixelArray:
    """One video; frames of another size are scaled with their proportions kept.

    Args:
        names: of a GIF, of a folder whose pictures are read in the order of their names, or of pictures.
        side: of a frame, in pixels.
        invert: of `images.load_image`; for a GIF its first frame decides for all.

    Returns:
        uint8 (frames, side, side).

    Raises:
        DataError: nothing there, or no video.
    """
    paths = [Path(name) for name in names]
    videos = [path for path in paths if path.is_dir() or path.suffix.lower() == ".gif"]
    if videos and len(paths) > 1:
        raise DataError(
            f"{videos[0]} is a video of its own, but {len(paths)} names were given; give one video at a time"
        )
    if videos and videos[0].is_dir():
        paths = sorted(p for p in videos[0].iterdir() if p.suffix.lower() in files.SUFFIXES and p.name[0] != ".")
        if not paths:
            raise DataError(f"{videos[0]} holds no picture, expected PNG, JPG or BMP files; name another folder")
    elif videos:
        return _gif(videos[0], side, invert)
    if len(paths) > MOST:
        raise DataError(f"{len(paths)} pictures, allowed: {MOST} or fewer in a video; give a part of them")
    return np.stack([files.load_image(path, (side, side), invert)[0] for path in paths])


def _gif(path: Path, side: int, invert: str) -> PixelArray:
    if not path.is_file():
        raise DataError(f"{path} is not there; give a GIF file, or pictures")
    frames: list[PixelArray] = []
    white: bool | None = None
    try:
        with Image.open(path, formats=["GIF"]) as opened:
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
    except Exception as error:  # damaged files raise many things
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{path} cannot be read ({reason}); expected a GIF; write it anew") from error
    video = np.stack(frames)
    edges = np.concatenate([video[0][0], video[0][-1], video[0][:, 0], video[0][:, -1]])
    return 255 - video if invert == "yes" or (invert == "auto" and np.median(edges) > 127) else video
