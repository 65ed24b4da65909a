"""Which digits somebody says one after the other, many-to-many without an alignment.

    hear     2.1 s, 206 frames: silence, "four", silence, "seven", "seven"
    wanted   4 7 7

Strings of one to seven words are joined from the recordings of spoken_digits, with silence of
any length between them: for training new ones in each epoch, for validation and test always
the same, from recordings that training never hears. Nobody says when a word begins or ends;
CTC sums over all alignments (Graves et al. 2006, https://doi.org/10.1145/1143844.1143891).
"""

from __future__ import annotations

from seqtasks import register_task
from seqtasks.task_types import CTCTask


@register_task("spoken_strings")
class SpokenStrings(CTCTask):
    """Which digits somebody says one after the other."""

    topology = "many-to-many"
    metric = "der"
    tfds = "spoken_digit"
    builtin = "syllables"
