"""Batches of tagged sentences, with the characters of each distinct word once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from seqtasks.core.arrays import IntArray
from seqtasks.data.bucketing import Buckets, Ragged
from seqtasks.data.splits import Examples
from seqtasks.data.text.label_index import LabelIndex

LONGEST = 40  # characters read of a word


class Types:
    """Distinct words, their numbers in the lexicon and their characters.

    Args:
        words: the distinct words.
        lexicon: of words in lower case.
        characters: of characters.
        counts: how often each word of the lexicon comes in training, (words of the lexicon,).
    """

    def __init__(
        self, words: Sequence[str], lexicon: LabelIndex, characters: LabelIndex, counts: IntArray | None = None
    ):
        self.numbers = np.array([lexicon.number(word.lower()) for word in words], np.int32)
        self.letters = Ragged.of([[characters.number(c) for c in word[:LONGEST]] for word in words])
        self.counts = counts


class TaggedBatches(Buckets):
    """Inputs `words` (batch, time), 0 at padding, `places` (batch, time), the row of each word in
    `characters` (distinct words, length), and `targets` (batch, time); targets and weights (batch, time).

    Args:
        examples: `words` as numbers of types, and the tags.
        types: all distinct words.
        word_dropout: α: a training word that comes n times is unknown with a chance of α/(α + n)
            (Kiperwasser & Goldberg 2016, https://arxiv.org/abs/1603.04351).
        characters: false leaves out `places` and `characters`.
        how: of `Buckets`.
    """

    def __init__(
        self,
        examples: Examples,
        types: Types,
        *how: Any,
        word_dropout: float = 0.0,
        characters: bool = True,
        **keywords: Any,
    ):
        self.types, self.word_dropout, self.characters = types, word_dropout, characters
        super().__init__(examples, *how, **keywords)

    def make(self, index: int, extra: int = 0) -> Any:
        rng = np.random.default_rng((self.seed, self.epoch, self.start + index))
        return self.collate(self.examples.take(self.rows(index)), extra, rng)

    def collate(self, rows: Examples, extra: int = 0, rng: np.random.Generator | None = None) -> Any:
        words = rows.inputs["words"]
        numbers = self.types.numbers[words.values]
        if rng is not None and self.word_dropout and self.types.counts is not None:
            chance = self.word_dropout / (self.word_dropout + self.types.counts[numbers])
            numbers = np.where(rng.random(len(numbers)) < chance, 1, numbers).astype(np.int32)
        width = max(1, int(words.lengths.max())) + extra
        inputs = {"words": Ragged(numbers, words.ends).padded(least=width), "targets": rows.targets.padded(least=width)}
        if self.characters:
            distinct, places = np.unique(words.values, return_inverse=True)
            letters = self.types.letters[distinct]
            inputs["places"] = Ragged(places.astype(np.int32), words.ends).padded(least=width)
            inputs["characters"] = letters.padded(least=max(1, int(letters.lengths.max())) + extra)
        return inputs, inputs["targets"], (inputs["words"] > 0).astype(np.float32)
