"""Rows continue rows; every token is a target once, whatever the batches."""

from itertools import pairwise

import numpy as np
import pytest

from seqtasks.core.errors import DataError
from seqtasks.data.text.bptt_batches import BPTTBatches, document_starts, next_tokens
from seqtasks.data.text.vocabulary import Vocabulary

TOKENS = np.arange(1000, 1000 + 103)  # each token says where it stands


def rows_of(lanes):
    """All real (token, target) pairs of each lane, in the order in which they are read."""
    found = {}
    turns = len(lanes) // -(-lanes.lanes // lanes.batch_size)
    for index in range(len(lanes)):
        inputs, targets, weights = lanes[index]
        group = index // turns
        for i in range(len(targets)):
            real = weights[i] > 0
            found.setdefault(group * lanes.batch_size + i, []).extend(
                zip(inputs["tokens"][i][real].tolist(), targets[i][real].tolist(), strict=True)
            )
    return found


@pytest.mark.parametrize("window", [1, 7, 16, 200])
@pytest.mark.parametrize(("lanes", "batch"), [(1, 1), (4, 4), (7, 3), (64, 10), (500, 64)])
def test_every_token_is_a_target_once_and_follows_its_input(lanes, batch, window):
    rows = rows_of(BPTTBatches(next_tokens(TOKENS), lanes, batch, window))
    pairs = [pair for row in sorted(rows) for pair in rows[row]]
    assert pairs == [(t, t + 1) for t in TOKENS[:-1].tolist()]


def test_the_batch_decides_nothing_but_the_grouping():
    alone, together = (rows_of(BPTTBatches(next_tokens(TOKENS), 7, batch, 5)) for batch in (1, 7))
    assert alone == together


def test_a_window_continues_the_one_before_and_starts_afresh_only_at_the_beginning():
    lanes = BPTTBatches(next_tokens(TOKENS), 3, 3, 10)
    before = None
    for index in range(len(lanes)):
        inputs, targets, weights = lanes[index]
        assert inputs["reset"].all() == (index == 0) == inputs["reset"].any()
        if before is not None:
            np.testing.assert_array_equal(inputs["tokens"][:, 0][weights[:, 0] > 0], before[weights[:, 0] > 0])
        before = targets[:, -1]


def test_without_carry_every_window_starts_afresh():
    lanes = BPTTBatches(next_tokens(TOKENS), 3, 3, 10, carry=False)
    assert all(lanes[index][0]["reset"].all() for index in range(len(lanes)))


def test_lengths_vary_by_seed_and_epoch_and_lose_nothing():
    def lengths(seed, epoch):
        lanes = BPTTBatches(next_tokens(np.arange(5000)), 2, 2, 35, vary=True, seed=seed)
        lanes.seek(epoch, 0)
        found = rows_of(lanes)
        pairs = [pair for row in sorted(found) for pair in found[row]]
        assert pairs == [(t, t + 1) for t in range(4999)]
        return [lanes[i][1].shape[1] for i in range(len(lanes))]

    first = lengths(0, 0)
    assert all(a != b for a, b in pairwise(first[:-1]))  # else Keras would take the length for fixed
    assert len(set(first)) > 5 and min(first[:-1]) >= 5 and abs(np.mean(first) - 35) < 6
    assert first == lengths(0, 0) != lengths(0, 1) and first != lengths(1, 0)


def test_it_goes_on_inside_an_epoch():
    whole, rest = (BPTTBatches(next_tokens(TOKENS), 3, 3, 10) for _ in range(2))
    rest.seek(0, 2)
    assert len(rest) == len(whole) - 2
    np.testing.assert_array_equal(rest[1][1], whole[3][1])
    assert not rest[0][0]["reset"].any()
    rest.on_epoch_begin()
    rest.on_epoch_end()
    assert (rest.epoch, len(rest)) == (1, len(whole))


def test_no_more_is_read_than_a_batch_needs():
    reads = []

    class Watched(np.ndarray):
        def __getitem__(self, key):
            found = super().__getitem__(key)
            reads.append(np.size(found))
            return found

    lanes = BPTTBatches(next_tokens(np.arange(100_000)), 4, 4, 16)
    lanes.examples.inputs["tokens"] = lanes.examples.inputs["tokens"].view(Watched)
    lanes[3]
    assert sum(reads) == 4 * 16


@pytest.mark.parametrize("back", [2, 3])
def test_gradients_flow_back_over_windows_that_were_scored_before(back):
    lanes = BPTTBatches(next_tokens(TOKENS), 2, 2, 5, back=back)
    found = []
    for index in range(len(lanes)):
        inputs, targets, weights = lanes[index]
        assert inputs["tokens"].shape == (2, back * 5) and inputs["reset"].all() == (index == 0)
        begin = inputs["tokens"][0, 0] - TOKENS[0]
        assert begin == 5 * index  # the state is kept after one window
        if index:  # only what is new counts
            assert not weights[:, : (back - 1) * 5].any()
        found += targets[weights > 0].tolist()
    assert sorted(found) == TOKENS[1:].tolist()


def test_too_short_for_many_windows():
    with pytest.raises(DataError, match=r"102 tokens in 4 lanes are 26 a lane, fewer than 3 windows of 10; set"):
        BPTTBatches(next_tokens(TOKENS), 4, 4, 10, back=3)


@pytest.mark.parametrize(("lanes", "batch", "window"), [(1, 1, 4), (3, 3, 4), (5, 2, 7), (4, 4, 300)])
def test_documents_start_afresh(lanes, batch, window):
    rng = np.random.default_rng(0)
    text = rng.integers(3, 9, 200)
    text[rng.random(200) < 0.1] = 1  # the end of a document
    examples = next_tokens(text)
    starts = np.flatnonzero(text[:-1] == 1)
    batches, found = BPTTBatches(examples, lanes, batch, window, starts=starts), []
    for index in range(len(batches)):
        inputs, targets, weights = batches[index]
        for row in range(len(targets)):
            count = int(weights[row].sum())
            tokens = inputs["tokens"][row]
            assert (weights[row, :count] == 1).all() and not (tokens[1:count] == 1).any()  # ends are first, if anywhere
            assert inputs["reset"][row] or not count or tokens[0] != 1
            found += zip(tokens[:count].tolist(), targets[row, :count].tolist(), strict=True)
    assert sorted(found) == sorted(zip(text[:-1].tolist(), text[1:].tolist(), strict=True))


def test_where_documents_start():
    text = "one\ntwo\n\n\nthree\n\nfour\n"
    words = Vocabulary.train("characters", [text])
    examples = next_tokens(words.encode(text))

    def begins(after):
        return [text[start + 1 :].split("\n")[0] for start in document_starts(examples, words, after)]

    assert begins("lines") == ["two", "three", "four"]
    assert begins("paragraphs") == ["three", "four"]
    units = Vocabulary.train("bpe", [text], size=300)
    pieces = next_tokens(units.encode(text))
    assert [units.decode(pieces.targets[s:])[:3] for s in document_starts(pieces, units, "paragraphs")] == [
        "thr",
        "fou",
    ]
