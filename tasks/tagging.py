"""Part-of-speech tagging, or other labels of words.

    Input:   In   1998  they  were  joined  by   Gallagher  .
    Target:  ADP  NUM   PRON  AUX   VERB    ADP  PROPN      PUNCT

A word is represented by its embedding and the output of a character-level network; the encoder, usually
bidirectional, reads the sentence. `files:DIR` with train, dev and test reads CoNLL-U files, whose label column is
`options.column`, and CoNLL files with a word and a label on each line. If the labels are those of spans (B-PER,
I-PER, O), the score is the F1 of the spans. The built-in data is the source code of Python's standard library,
labelled character by character: keyword, name, string, comment.
"""

from __future__ import annotations

from seqtasks import register_task
from seqtasks.task_types import TaggingTask


@register_task("tagging")
class Tagging(TaggingTask):
    """Part-of-speech tagging, or other labels of words."""

    topology = "synced"
    metric = "accuracy"
    tfds = "universal_dependencies/en_ewt"
    builtin = "python"
