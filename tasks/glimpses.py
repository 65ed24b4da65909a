"""Handwritten digit classification by a few glimpses at a large canvas.

A 28×28 digit is at a random position on a canvas of 60×60 pixels, in training at a new one in each epoch. The
network does not read the whole canvas in full resolution. A glimpse has three patches around a location: 12×12
pixels, and means over 24×24 and 48×48 pixels at the same size. After each glimpse the network chooses the next
location:

    ┌──────────────────┐
    │                  │    glimpse 1  at the centre (0, 0): something bright at the upper right
    │            ▒██▒  │    glimpse 2  at (-0.4, 0.5): strokes
    │         1    2█▒ │    …
    │            ▒█▒   │    glimpse 6  → label 7
    └──────────────────┘

The topology is that of the data, one image and one label; the sequence of glimpses is internal to the network.
`options.clutter` adds pieces of other digits. With `options.policy=random` or `centre` the locations are not learned.
"""

from __future__ import annotations

from seqtasks import register_task
from seqtasks.task_types import GlimpseTask


@register_task("glimpses")
class Glimpses(GlimpseTask):
    """Handwritten digit classification by a few glimpses at a large canvas."""

    topology = "one-to-one"
    metric = "accuracy"
    tfds = "mnist"
    builtin = "digits"
