"""The next character of a text, synced.

    read     F i r s t _ C i t i z e
    wanted   i r s t _ C i t i z e n

The text is one long sequence, read in windows whose state is carried on. The score is the
mean negative log-likelihood in nats a character, over every character of the test text.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from seqtasks import Baseline, LanguageOptions, LanguageTask, Source, Splits, register_task, setting
from seqtasks.data import language
from seqtasks.language_task import compressed


@dataclass(frozen=True)
class Options(LanguageOptions):
    """The text and the model of it."""

    split: Literal["own", "nanogpt"] = setting(
        "own", "the source's; nanogpt: first 90 % for training, last 10 % for validation and test"
    )


@register_task("char_lm")
class CharLM(LanguageTask):
    """The next character of a text."""

    Options = Options

    def splits(self, source: Source) -> Splits:
        return language.load(source, self.options.split, kind="characters")

    def baselines(self, splits: Splits) -> dict[str, Callable[[], Baseline]]:
        return {"xz": lambda: compressed(self.vocabulary, splits)}
