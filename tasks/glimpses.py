"""Handwritten digits found and read in a few glimpses, one-to-one.

A 28×28 digit stands anywhere on a canvas of 60×60 pixels, in training at another place in every epoch. The
network never sees the canvas as it is. A glimpse has 12×12 pixels around a place as they are, and the same
number of means over 24×24 and over 48×48 pixels; after each the network chooses the next place:

    ┌──────────────────┐
    │                  │    glimpse 1  in the middle (0, 0): something bright at the upper right
    │            ▒██▒  │    glimpse 2  at (-0.4, 0.5): strokes
    │         1    2█▒ │    …
    │            ▒█▒   │    glimpse 6  → label 7
    └──────────────────┘

One picture becomes one label; the sequence between them is the network's own. `options.clutter` adds
pieces of other digits. `options.policy=random` and `centre` take the choice away.
"""

from __future__ import annotations

from seqtasks import register_task
from seqtasks.task_types import GlimpseTask


@register_task("glimpses")
class Glimpses(GlimpseTask):
    """Handwritten digits found and read in a few glimpses."""

    topology = "one-to-one"
    metric = "accuracy"
    tfds = "mnist"
    builtin = "digits"
