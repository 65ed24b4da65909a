"""BPTT batches: rows continue the rows before, and every token is a target once for any batch size."""

from itertools import pairwise

import numpy as np
import pytest

from seqtasks.core.errors import DataError
from seqtasks.data.text.bptt_batches import BPTTBatches, document_starts, next_tokens
from seqtasks.data.text.vocabulary import Vocabulary

TOKENS = np.arange(1000, 1000 + 103)  # each token is 1000 plus its position


def rows_of(batches):
    """All (token, target) pairs with a weight, of each stream, in the order in which they are read."""
    pairs = {}
    windows = len(batches) // -(-batches.lanes // batches.batch_size)
    for index in range(len(batches)):
        inputs, targets, weights = batches[index]
        group = index // windows
        for i in range(len(targets)):
            valid = weights[i] > 0
            pairs.setdefault(group * batches.batch_size + i, []).extend(
                zip(inputs["tokens"][i][valid].tolist(), targets[i][valid].tolist(), strict=True)
            )
    return pairs


@pytest.mark.parametrize("window", [1, 7, 16, 200])
@pytest.mark.parametrize(("streams", "batch"), [(1, 1), (4, 4), (7, 3), (64, 10), (500, 64)])
def test_every_token_is_a_target_once_and_follows_its_input(streams, batch, window):
    rows = rows_of(BPTTBatches(next_tokens(TOKENS), streams, batch, window))
    pairs = [pair for row in sorted(rows) for pair in rows[row]]
    assert pairs == [(t, t + 1) for t in TOKENS[:-1].tolist()]


def test_the_batch_decides_nothing_but_the_grouping():
    alone, together = (rows_of(BPTTBatches(next_tokens(TOKENS), 7, batch, 5)) for batch in (1, 7))
    assert alone == together


def test_a_window_continues_the_one_before_and_starts_afresh_only_at_the_beginning():
    batches = BPTTBatches(next_tokens(TOKENS), 3, 3, 10)
    before = None
    for index in range(len(batches)):
        inputs, targets, weights = batches[index]
        assert inputs["reset"].all() == (index == 0) == inputs["reset"].any()
        if before is not None:
            np.testing.assert_array_equal(inputs["tokens"][:, 0][weights[:, 0] > 0], before[weights[:, 0] > 0])
        before = targets[:, -1]


def test_without_carry_every_window_starts_afresh():
    batches = BPTTBatches(next_tokens(TOKENS), 3, 3, 10, carry=False)
    assert all(batches[index][0]["reset"].all() for index in range(len(batches)))


def test_lengths_vary_by_seed_and_epoch_and_lose_nothing():
    def lengths(seed, epoch):
        batches = BPTTBatches(next_tokens(np.arange(5000)), 2, 2, 35, vary=True, seed=seed)
        batches.seek(epoch, 0)
        rows = rows_of(batches)
        pairs = [pair for row in sorted(rows) for pair in rows[row]]
        assert pairs == [(t, t + 1) for t in range(4999)]
        return [batches[i][1].shape[1] for i in range(len(batches))]

    first = lengths(0, 0)
    assert all(a != b for a, b in pairwise(first[:-1]))  # else Keras would infer a static length
    assert len(set(first)) > 5 and min(first[:-1]) >= 5 and abs(np.mean(first) - 35) < 6
    assert first == lengths(0, 0) != lengths(0, 1) and first != lengths(1, 0)


def test_it_goes_on_inside_an_epoch():
    whole, resumed = (BPTTBatches(next_tokens(TOKENS), 3, 3, 10) for _ in range(2))
    resumed.seek(0, 2)
    assert len(resumed) == len(whole) - 2
    np.testing.assert_array_equal(resumed[1][1], whole[3][1])
    assert not resumed[0][0]["reset"].any()
    resumed.on_epoch_begin()
    resumed.on_epoch_end()
    assert (resumed.epoch, len(resumed)) == (1, len(whole))


def test_no_more_is_read_than_a_batch_needs():
    reads = []

    class Watched(np.ndarray):
        def __getitem__(self, key):
            values = super().__getitem__(key)
            reads.append(np.size(values))
            return values

    batches = BPTTBatches(next_tokens(np.arange(100_000)), 4, 4, 16)
    batches.examples.inputs["tokens"] = batches.examples.inputs["tokens"].view(Watched)
    batches[3]
    assert sum(reads) == 4 * 16


@pytest.mark.parametrize("back", [2, 3])
def test_gradients_flow_back_over_windows_that_were_scored_before(back):
    batches = BPTTBatches(next_tokens(TOKENS), 2, 2, 5, back=back)
    scored = []
    for index in range(len(batches)):
        inputs, targets, weights = batches[index]
        assert inputs["tokens"].shape == (2, back * 5) and inputs["reset"].all() == (index == 0)
        begin = inputs["tokens"][0, 0] - TOKENS[0]
        assert begin == 5 * index  # the state is carried after one window
        if index:  # only the new window has weights
            assert not weights[:, : (back - 1) * 5].any()
        scored += targets[weights > 0].tolist()
    assert sorted(scored) == TOKENS[1:].tolist()


def test_too_short_for_many_windows():
    with pytest.raises(DataError, match=r"102 tokens in 4 streams are 26 per stream; allowed: at least 3 windows of"):
        BPTTBatches(next_tokens(TOKENS), 4, 4, 10, back=3)


@pytest.mark.parametrize(("streams", "batch", "window"), [(1, 1, 4), (3, 3, 4), (5, 2, 7), (4, 4, 300)])
def test_documents_start_afresh(streams, batch, window):
    rng = np.random.default_rng(0)
    text = rng.integers(3, 9, 200)
    text[rng.random(200) < 0.1] = 1  # the end of a document
    examples = next_tokens(text)
    starts = np.flatnonzero(text[:-1] == 1)
    batches, pairs = BPTTBatches(examples, streams, batch, window, starts=starts), []
    for index in range(len(batches)):
        inputs, targets, weights = batches[index]
        for row in range(len(targets)):
            count = int(weights[row].sum())
            tokens = inputs["tokens"][row]
            assert (weights[row, :count] == 1).all() and not (tokens[1:count] == 1).any()  # an end can only be first
            assert inputs["reset"][row] or not count or tokens[0] != 1
            pairs += zip(tokens[:count].tolist(), targets[row, :count].tolist(), strict=True)
    assert sorted(pairs) == sorted(zip(text[:-1].tolist(), text[1:].tolist(), strict=True))


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
