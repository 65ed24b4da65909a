"""Sentences of one language into another, many-to-many.

    read     A man rides a bike .
    wanted   Ein Mann fährt Fahrrad .

The encoder reads the source, usually in both directions; a decoder of the same kind of cells
writes the target, one byte-pair unit after another, and attends to what was read. `files:DIR`
has train.en, train.de, val.* and test.*, line by line; `files:PAIRS.tsv` has pairs with a tab
between. The built-in data is numbers and dates, written out in English and German.
"""

from __future__ import annotations

from seqtasks import register_task
from seqtasks.task_types import TranslationTask


@register_task("translation")
class Translation(TranslationTask):
    """Sentences of one language into another."""

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
