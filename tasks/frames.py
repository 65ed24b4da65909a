"""Frame-by-frame labelling of videos of moving digits.

    Input:   1    2    3    4    5    6    7    8    frames with a 3 and a 7
    Target:  3    3    3    7    7    7    7    3    the digit in front

Two handwritten digits of 28×28 pixels move over a canvas of 40×40 pixels and bounce off its borders. The digit in
front hides the parts of the other one near its strokes; now and then the other one comes to the front. Where the
strokes do not cross, a single frame does not determine the label, but the frames before and after it do, so the
encoder is bidirectional. With `options.label=direction` there is one digit, and the label is its next direction, one
of eight. Training videos are new in each epoch; a video has 8 to 20 frames with noisy pixels.
"""

from __future__ import annotations

from seqtasks import register_task
from seqtasks.task_types import FramesTask


@register_task("frames")
class Frames(FramesTask):
    """Frame-by-frame labelling of videos of moving digits."""

    topology = "synced"
    metric = "accuracy"
    tfds = "mnist"
    builtin = "digits"
