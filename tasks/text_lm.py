"""Language modeling of the texts of a classifier, for pretraining.

    Input:   this film was not what I call
    Target:  film was not what I call a

The data is the texts of `sentiment`, with the same splits and without the labels. With `options.pretrain=lm`,
`sentiment` first trains this task and initializes its embedding and encoder from it.
"""

from __future__ import annotations

from seqtasks import register_task
from seqtasks.task_types import TextLanguageTask


@register_task("text_lm")
class TextLM(TextLanguageTask):
    """Language modeling of the texts of a classifier, for pretraining."""

    topology = "synced"
    metric = "perplexity"
    tfds = "imdb_reviews"
    builtin = "opinions"
