"""Machine translation of sentences.

    Input:   A man rides a bike .
    Target:  Ein Mann fährt Fahrrad .

The encoder, usually bidirectional, reads the source. A decoder with the same cell generates the target, one
byte-pair unit at each step, and attends to the outputs of the encoder. `files:DIR` has the parallel lines of train.en,
train.de, val.* and test.*; `files:PAIRS.tsv` has pairs separated by a tab. The built-in data is numbers and dates,
written out in English and German.
"""

from __future__ import annotations

from seqtasks import register_task
from seqtasks.task_types import TranslationTask


@register_task("translation")
class Translation(TranslationTask):
    """Machine translation of sentences."""

    topology = "many-to-many"
    metric = "bleu"
    tfds = (
        "ted_hrlr_translate/pt_to_en",
        "ted_hrlr_translate/az_to_en",
        "ted_hrlr_translate/az_tr_to_en",
        "ted_hrlr_translate/be_to_en",
        "ted_hrlr_translate/be_ru_to_en",
        "ted_hrlr_translate/gl_to_en",
        "ted_hrlr_translate/gl_pt_to_en",
        "ted_hrlr_translate/ru_to_en",
        "ted_hrlr_translate/tr_to_en",
    )
    builtin = "spelled"
    hub_task = "translation"
