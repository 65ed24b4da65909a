"""The next word of labelled texts, synced.

    read     this film was not what I call
    wanted   film was not what I call a

It reads the texts of `sentiment`, split in the same way, and no label. With
`options.pretrain=lm` that task trains one first, and begins with its embedding and encoder.
"""

from __future__ import annotations

from seqtasks import register_task
from seqtasks.task_types import TextLanguageTask


@register_task("text_lm")
class TextLM(TextLanguageTask):
    """The next word of labelled texts."""

    topology = "synced"
    metric = "perplexity"
    tfds = "imdb_reviews"
    builtin = "opinions"
