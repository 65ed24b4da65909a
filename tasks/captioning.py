"""Image captioning: a sentence that describes an image.

    Input:   an image with one 3 over two 7s
    Target:  a three above two sevens

Scenes are composed of MNIST or of the built-in digits, new ones in each epoch. Their sentences state counts, order
and relation; no combination of the test split occurs in training. `files:DIR` reads images and `captions.csv` with
the columns image,caption, the layout of Flickr8k, with any number of captions for an image. The photographs of
`tfds:coco_captions` are read in the same way.
"""

from __future__ import annotations

from seqtasks import register_task
from seqtasks.task_types import CaptionTask


@register_task("captioning")
class Captioning(CaptionTask):
    """Image captioning: a sentence that describes an image."""

    topology = "one-to-many"
    metric = "exact"
    tfds = ("mnist", "coco_captions")
    builtin = "digits"
