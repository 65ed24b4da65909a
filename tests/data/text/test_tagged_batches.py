"""Batches of tagged sentences: words, and the characters of each distinct word."""

import numpy as np

from seqtasks.data.bucketing import Ragged
from seqtasks.data.splits import Examples
from seqtasks.data.text.label_index import LabelIndex
from seqtasks.data.text.tagged_batches import LONGEST, TaggedBatches, Types

SENTENCES = [["The", "cat", "sees", "the", "cat"], ["Zyx"], ["a" * 100, "the"]]
WORDS, LETTERS = LabelIndex.count(["the", "the", "cat", "sees", "a"]), LabelIndex.count("thecasTZyx")
TYPES = LabelIndex(list(dict.fromkeys(w for row in SENTENCES for w in row)))


def make(counts=None, **how):
    words = Ragged.of([[TYPES.names.index(w) for w in row] for row in SENTENCES])
    tags = Ragged.of([[len(w) for w in row] for row in SENTENCES])
    return TaggedBatches(Examples({"words": words}, tags), Types(TYPES.names, WORDS, LETTERS, counts), 2, **how)


def test_words_and_their_characters_come_back():
    batches = make()
    for index in range(len(batches)):
        inputs, targets, weights = batches[index]
        for position, row in enumerate(batches.rows(index)):
            for t, word in enumerate(SENTENCES[row]):
                assert inputs["words"][position, t] == WORDS.number(word.lower())
                letters = inputs["characters"][inputs["places"][position, t]]
                assert letters[letters > 0].tolist() == [LETTERS.number(c) for c in word[:LONGEST]]
                assert targets[position, t] == len(word) and weights[position, t] == 1
            n = len(SENTENCES[row])
            assert not inputs["words"][position, n:].any() and not weights[position, n:].any()


def test_rare_words_are_unknown_now_and_then_in_training():
    counts = np.array([1000, 1, 0, 1000, 1000, 1000])
    batches = make(counts, shuffle=True, word_dropout=1.0)
    word_batches = []
    for epoch in range(200):
        batches.seek(epoch, 0)
        word_batches += [batches[i][0]["words"] for i in range(len(batches))]
    number = int(np.flatnonzero(counts == 0)[0])  # it never came: it is always dropped
    assert all(not (words == number).any() for words in word_batches)
    again = make(counts, shuffle=True, word_dropout=1.0)
    again.seek(7, 0)
    batches.seek(7, 0)
    np.testing.assert_array_equal(again[1][0]["words"], batches[1][0]["words"])
    kept = sum((words > 2).sum() for words in word_batches) / sum((words > 0).sum() for words in word_batches)
    assert 0.2 < kept < 0.9
