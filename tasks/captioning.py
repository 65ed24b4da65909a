"""A sentence about an image, one-to-many.

    read     an image with one 3 over two 7s
    wanted   a three above two sevens

From MNIST, or the built-in digits, scenes are composed anew in each epoch; their sentences
need counting, order and relation, and no combination of the test split is ever trained on.
`files:DIR` takes images and a `captions.csv` with the columns image,caption, as Flickr8k
has it, with any number of captions for an image; `tfds:coco_captions` is read the same way.
"""

from __future__ import annotations

from seqtasks import register_task
from seqtasks.task_types import CaptionTask


@register_task("captioning")
class Captioning(CaptionTask):
    """A sentence about an image."""

    topology = "one-to-many"
    metric = "exact"
    tfds = ("mnist", "coco_captions")
    builtin = "digits"
