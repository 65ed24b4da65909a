"""The next character of a text, synced.

    read     F i r s t _ C i t i z e
    wanted   i r s t _ C i t i z e n

The text is one long sequence, read in windows whose state is carried on. The score is the
mean negative log-likelihood in nats a character, over every character of the test text.
"""

from __future__ import annotations

from typing import Any

from seqtasks import Source, register_task
from seqtasks.task_types import LanguageTask


@register_task("char_lm")
class CharLM(LanguageTask):
    """The next character of a text."""

    topology = "synced"
    metric = "nats"
    tfds = "tiny_shakespeare"
    builtin = "pydoc"

    def units(self, source: Source) -> dict[str, Any]:
        return {"kind": "characters"}
