"""Which digit is in front, frame by frame, synced.

Two handwritten digits of 28×28 pixels move over a canvas of 40×40 and bounce off its borders. The one in
front hides what is near its ink, and now and then the other one comes to the front:

    frame    1    2    3    4    5    6    7    8        of 3 and 7
    label    3    3    3    7    7    7    7    3

Where the strokes do not cross, a frame alone does not tell; those before and after it do, so the encoder
reads in both directions. `options.label=direction` asks where the only digit goes next, one of eight
directions. Every epoch has new videos; a video has 8 to 20 frames, some of their pixels are noise.
"""

from __future__ import annotations

from seqtasks import register_task
from seqtasks.task_types import FramesTask


@register_task("frames")
class Frames(FramesTask):
    """Which digit is in front, frame by frame."""

    topology = "synced"
    metric = "accuracy"
    tfds = "mnist"
    builtin = "digits"
