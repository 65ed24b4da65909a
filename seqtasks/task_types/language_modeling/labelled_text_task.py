"""Language modeling of labelled texts, with the words and splits of their classifier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras

from seqtasks.core.errors import ConfigError
from seqtasks.core.settings import setting
from seqtasks.data.source import Source
from seqtasks.data.splits import Splits
from seqtasks.data.text import labelled_texts, lm_corpus
from seqtasks.data.text.reader import Text
from seqtasks.layers.encoder import Encoder
from seqtasks.task_types.language_modeling.model import language_model, with_backward
from seqtasks.task_types.language_modeling.task import LanguageOptions, LanguageSpec, LanguageTask


@dataclass(frozen=True)
class TextLanguageOptions(LanguageOptions):
    """The columns of a table, the words and the model of them."""

    text_column: str = setting("text", "text column of CSV and TSV files")
    label_column: str = setting("label", "label column of CSV and TSV files")
    vocab_size: int = setting(20_000, "maximum number of words in the vocabulary", ge=2)
    min_frequency: int = setting(2, "minimum frequency of a word in the vocabulary", ge=1)
    backward: bool = setting(
        False,
        "train a second encoder that predicts each word from those after it; scores and generation use the first",
        affects_data=False,
    )


class TextLanguageTask(LanguageTask):
    """The next word of the texts that a `TextTask` of the same settings labels."""

    Options = TextLanguageOptions
    options: TextLanguageOptions
    Spec = LanguageSpec  # of this `load`, too

    def units(self, source: Source) -> dict[str, Any]:
        return labelled_texts.word_settings(self.options.vocab_size, self.options.min_frequency)

    def build_model(self, encoder: Encoder) -> keras.Model:
        if self.options.backward and self.options.documents != "none":
            raise ConfigError(
                f"options.backward=true with options.documents={self.options.documents}: read from their ends, windows "
                "would begin with padding; set one of them"
            )
        model = language_model(encoder, self.spec.size, self.options, self.name)
        return with_backward(model) if self.options.backward else model

    def load(self, source: Source, seed: int) -> Splits:
        o = self.options
        if o.split != "own":
            raise ConfigError(f"options.split is {o.split!r}; allowed: own, as labelled texts have splits of their own")
        labelled = labelled_texts.load(source, o.text_column, o.label_column)
        parts = {
            part: (Text([labelled_texts.line(t) + "\n" for t in texts]), 0, None)
            for part, (texts, _) in labelled.parts.items()
        }
        return lm_corpus.numbered(labelled.source, parts, **self.units(source))
