"""Whether a text praises or blames, or any label of a text, many-to-one.

    read     this film was not what I call a good one .
    wanted   negative

All words are read, and what the encoder says of each is pooled. `files:PATH` takes a CSV or
TSV file, or a folder with train.csv and test.csv, of texts and labels, of which there may be
any number. The built-in opinions come from a grammar with negation and contrast; one label
in twenty is wrong, so no score above 95 % can last.
"""

from __future__ import annotations

from seqtasks import register_task
from seqtasks.task_types import TextTask


@register_task("sentiment")
class Sentiment(TextTask):
    """Whether a text praises or blames."""

    topology = "many-to-one"
    metric = "accuracy"
    tfds = "imdb_reviews"
    builtin = "opinions"
    language_task = "text_lm"
