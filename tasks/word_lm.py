"""Word-level language modeling: the next word of a text.

    Input:   the company said it expects <unk> to rise <eos>
    Target:  company said it expects <unk> to rise <eos> the

The end of a line is a word, `<eos>`, and is scored, too. The score is the perplexity of all words of the test text.
`files:DIR` reads train.txt, valid.txt and test.txt, the layout of the Penn Treebank. With `options.unit=bpe` the tokens
are byte-pair units instead of words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from seqtasks import Source, register_task, setting
from seqtasks.task_types import LanguageOptions, LanguageTask


@dataclass(frozen=True)
class Options(LanguageOptions):
    """Options of word-level language modeling: tokens and model."""

    unit: Literal["words", "bpe"] = setting(
        "words", "token type: words, or byte-pair units (bpe), which cover any text"
    )
    vocab_size: int | None = setting(10_000, "maximum number of tokens in the vocabulary; null: all words", ge=1)
    min_frequency: int = setting(1, "minimum frequency of a word in the vocabulary", ge=1)
    lowercase: bool = setting(False, "convert the text to lower case")
    punctuation: Literal["auto", "split", "keep"] = setting(
        "auto",
        "separate punctuation from words (split) or not (keep); auto: split, unless the data has a file train.txt",
    )


@register_task("word_lm")
class WordLM(LanguageTask):
    """Word-level language modeling: the next word of a text."""

    topology = "synced"
    metric = "perplexity"
    tfds = ("tiny_shakespeare", "imdb_reviews")
    builtin = "pydoc"
    Options = Options

    def units(self, source: Source) -> dict[str, Any]:
        o: Any = self.options
        settings = {"kind": o.unit, "min_frequency": o.min_frequency, "lowercase": o.lowercase, "size": o.vocab_size}
        if o.unit == "words":
            tokenized = source.folder is not None and (source.folder / "train.txt").is_file()
            settings["punctuation"] = o.punctuation == "split" or (o.punctuation == "auto" and not tokenized)
        return settings
