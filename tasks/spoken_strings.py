"""Recognition of strings of spoken digits, without an alignment (CTC).

    Input:   2.1 s, 206 frames: silence, "four", silence, "seven", "seven"
    Target:  4 7 7

Strings of one to seven words are composed of the recordings of `spoken_digits`, with random silences between them.
Training strings are new in each epoch; validation and test strings are always the same, and their recordings do not
occur in training. The times of the words are not given: CTC sums over all alignments (Graves et al. 2006,
https://doi.org/10.1145/1143844.1143891).
"""

from __future__ import annotations

from seqtasks import register_task
from seqtasks.task_types import CTCTask


@register_task("spoken_strings")
class SpokenStrings(CTCTask):
    """Recognition of strings of spoken digits, without an alignment (CTC)."""

    topology = "many-to-many"
    metric = "der"
    tfds = "spoken_digit"
    builtin = "syllables"
