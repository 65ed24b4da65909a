"""The next word of labelled texts, synced.

    read     this film was not what I call
    wanted   film was not what I call a

It reads the texts of `sentiment`, split in the same way, and no label. With
`options.pretrain=lm` that task trains one first, and begins with its embedding and encoder.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from seqtasks import LanguageOptions, LanguageTask, Source, Splits, register_task, setting
from seqtasks.data import labelled_texts, language
from seqtasks.data.text import Text
from seqtasks.errors import ConfigError


@dataclass(frozen=True)
class Options(LanguageOptions):
    """The columns of a table, the words and the model of them."""

    text_column: str = setting("text", "of CSV and TSV files")
    label_column: str = setting("label", "of CSV and TSV files")
    size: int = setting(20_000, "the most words", least=2)
    min_frequency: int = setting(2, "rarer words are <unk>", least=1)


@register_task("text_lm")
class TextLM(LanguageTask):
    """The next word of labelled texts."""

    topology = "synced"
    metric = "perplexity"
    tfds = "imdb_reviews"
    builtin = "opinions"
    Options = Options

    def units(self, source: Source) -> dict[str, Any]:
        return labelled_texts.word_settings(self.options.size, self.options.min_frequency)

    def load(self, source: Source, seed: int) -> Splits:
        o = self.options
        if o.split != "own":
            raise ConfigError(f"options.split is {o.split!r}; allowed: own, as labelled texts have splits of their own")
        found = labelled_texts.load(source, o.text_column, o.label_column)
        parts = {
            part: (Text([labelled_texts.line(t) + "\n" for t in texts]), 0, None)
            for part, (texts, _) in found.parts.items()
        }
        return language.numbered(found.source, parts, **self.units(source))
