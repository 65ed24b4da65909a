"""The part of speech of each word of a sentence, synced.

    read     In   1998  they  were  joined  by   Gallagher  .
    wanted   ADP  NUM   PRON  AUX   VERB    ADP  PROPN      PUNCT

A word is its own vector and what a second network makes of its characters; the encoder
reads the sentence, usually in both directions. `files:DIR` with train, dev and test takes
CoNLL-U, whose column is `options.column`, and CoNLL files of a word and a label a line. Where
the labels are those of spans (B-PER, I-PER, O), the score is their F1. The built-in data is
Python's own library, character by character: keyword, name, string, comment.
"""

from __future__ import annotations

from seqtasks import register_task
from seqtasks.task_types import TaggingTask


@register_task("tagging")
class Tagging(TaggingTask):
    """The part of speech of each word."""

    topology = "synced"
    metric = "accuracy"
    tfds = "universal_dependencies/en_ewt"
    builtin = "python"
