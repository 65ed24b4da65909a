"""Character-level language modeling: the next character of a text.

    Input:   F i r s t _ C i t i z e
    Target:  i r s t _ C i t i z e n

The text is one long sequence, read in windows; each window starts from the final state of the one before. The
score is the mean negative log-likelihood of a character in nats, over all characters of the test text.
"""

from __future__ import annotations

from typing import Any

from seqtasks import Source, register_task
from seqtasks.task_types import LanguageTask


@register_task("char_lm")
class CharLM(LanguageTask):
    """Character-level language modeling: the next character of a text."""

    topology = "synced"
    metric = "nats"
    tfds = "tiny_shakespeare"
    builtin = "pydoc"

    def units(self, source: Source) -> dict[str, Any]:
        return {"kind": "characters"}
