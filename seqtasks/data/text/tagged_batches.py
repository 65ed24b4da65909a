"""Batches of tagged sentences, with the characters of each distinct word once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from seqtasks.core.arrays import IntArray
from seqtasks.data.bucketing import Buckets, Ragged
from seqtasks.data.splits import Examples
from seqtasks.data.text.label_index import LabelIndex

LONGEST = 40  # maximum number of characters of a word; further ones are cut off


class Types:
    """Word types: distinct words with their numbers in the lexicon and the numbers of their characters.

    Args:
        words: The distinct words.
        lexicon: Numbers of lower-case words.
        characters: Numbers of characters.
        counts: Number of occurrences of each word of the lexicon in training, `(words,)`; None: no word dropout.
    """

    def __init__(
        self, words: Sequence[str], lexicon: LabelIndex, characters: LabelIndex, counts: IntArray | None = None
    ):
        self.numbers = np.array([lexicon.number(word.lower()) for word in words], np.int32)
        self.letters = Ragged.of([[characters.number(c) for c in word[:LONGEST]] for word in words])
        self.counts = counts


class TaggedBatches(Buckets):
    """Batches of tagged sentences, with words as numbers and as characters.

    A batch is `(inputs, targets, weights)`. Inputs are `words`, numbers in the lexicon, `(batch, time)`;
    `characters`, the numbers of the characters of each distinct word of the batch, `(distinct words, length)`;
    `places`, the row of each word in `characters`, `(batch, time)`; and `targets`. Targets and weights are
    `(batch, time)`; weights are 1 at valid and 0 at padded steps. Padding is 0 everywhere.

    Args:
        examples: Input `words`, indices of word types, and the tags, both `Ragged`.
        types: All word types.
        args: Arguments of `Buckets` after `examples`.
        word_dropout: α in the probability α/(α + n) that a word with n occurrences in training is replaced by the
            unknown word (Kiperwasser & Goldberg 2016, https://arxiv.org/abs/1603.04351).
        characters: Whether to include the inputs `characters` and `places`.
        kwargs: Arguments of `Buckets` by name.
    """

    def __init__(
        self,
        examples: Examples,
        types: Types,
        *args: Any,
        word_dropout: float = 0.0,
        characters: bool = True,
        **kwargs: Any,
    ):
        self.types, self.word_dropout, self.characters = types, word_dropout, characters
        super().__init__(examples, *args, **kwargs)

    def make(self, index: int, extra: int = 0) -> Any:
        rng = np.random.default_rng((self.seed, self.epoch, self.start + index))
        return self.collate(self.examples.take(self.rows(index)), extra, rng)

    def collate(self, rows: Examples, extra: int = 0, rng: np.random.Generator | None = None) -> Any:
        words = rows.inputs["words"]
        numbers = self.types.numbers[words.values]
        if rng is not None and self.word_dropout and self.types.counts is not None:
            rate = self.word_dropout / (self.word_dropout + self.types.counts[numbers])
            numbers = np.where(rng.random(len(numbers)) < rate, 1, numbers).astype(np.int32)
        width = max(1, int(words.lengths.max())) + extra
        inputs = {"words": Ragged(numbers, words.ends).padded(least=width), "targets": rows.targets.padded(least=width)}
        if self.characters:
            distinct, indices = np.unique(words.values, return_inverse=True)
            letters = self.types.letters[distinct]
            inputs["places"] = Ragged(indices.astype(np.int32), words.ends).padded(least=width)
            inputs["characters"] = letters.padded(least=max(1, int(letters.lengths.max())) + extra)
        return inputs, inputs["targets"], (inputs["words"] > 0).astype(np.float32)
