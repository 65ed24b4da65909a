"""Language modeling of labelled texts, with the vocabulary and splits of their classifier."""

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
    """Options of language models of labelled texts: columns of tables, vocabulary, model.

    The attributes are the settings `options.*`, with a help text each in `seqtasks show TASK`.

    Example:
        >>> from seqtasks.task_types import TextLanguageOptions
        >>> options = TextLanguageOptions(text_column="review", bptt=35)
        >>> options.vocab_size, options.bptt
        (20000, 35)
    """

    text_column: str = setting("text", "text column of CSV and TSV files", column=True)
    label_column: str = setting("label", "label column of CSV and TSV files", column=True)
    vocab_size: int = setting(20_000, "maximum number of words in the vocabulary", ge=2)
    min_frequency: int = setting(2, "minimum frequency of a word in the vocabulary", ge=1)
    backward: bool = setting(
        False,
        "train a second encoder that predicts each word from those after it; scores and generation use the first",
        affects_data=False,
    )


class TextLanguageTask(LanguageTask):
    """Base class of language models of labelled texts: predicts the next word.

    With the same options, vocabulary and splits are those of the `TextTask` of the same data, so that the classifier
    can start from the weights of the language model (`options.pretrain`).

    Masks and state: as in `LanguageTask`.

    Example:
        >>> from seqtasks.layers import Encoder
        >>> from seqtasks.task_types import LanguageSpec, TextLanguageTask
        >>> class Reviews(TextLanguageTask):
        ...     topology, builtin, name = "synced", "opinions", "reviews"
        >>> task = Reviews(spec=LanguageSpec(vocabulary="", size=50, tokens={}))
        >>> task.build_model(Encoder(units=8, stateful=True, name="encoder")).output_shape  # (batch, time)
        (None, None)
    """

    Options = TextLanguageOptions
    options: TextLanguageOptions
    Spec = LanguageSpec  # declared again because `load` is overridden, see `Task.stored_spec`

    def units(self, source: Source) -> dict[str, Any]:
        return labelled_texts.word_settings(self.options.vocab_size, self.options.min_frequency)

    def build_model(self, encoder: Encoder) -> keras.Model:
        if self.options.backward and self.options.documents != "none":
            raise ConfigError(
                f"options.backward=true with options.documents={self.options.documents}; allowed: one of them, as the "
                "backward encoder would read the padding at the ends of windows first; set options.documents=none or "
                "options.backward=false"
            )
        model = language_model(encoder, self.spec.size, self.options, self.name)
        return with_backward(model) if self.options.backward else model

    def load(self, source: Source, seed: int) -> Splits:
        o = self.options
        if o.split != "own":
            raise ConfigError(
                f"options.split is {o.split!r}; allowed: own, as the splits are those of the classifier; set "
                "options.split=own"
            )
        labelled = labelled_texts.load(source, o.text_column, o.label_column)
        parts = {
            part: (Text([labelled_texts.line(t) + "\n" for t in texts]), 0, None)
            for part, (texts, _) in labelled.parts.items()
        }
        return lm_corpus.numbered(labelled.source, parts, **self.units(source))
