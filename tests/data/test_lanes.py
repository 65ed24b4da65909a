"""Rows continue rows; every token is a target once, whatever the batches."""

import numpy as np
import pytest

from seqtasks.data.lanes import Lanes, next_tokens

TOKENS = np.arange(1000, 1000 + 103)  # each token says where it stands


def rows_of(lanes):
    """All real (token, target) pairs of each lane, in the order in which they are read."""
    found = {}
    turns = len(lanes._borders) - 1
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
    rows = rows_of(Lanes(next_tokens(TOKENS), lanes, batch, window))
    pairs = [pair for row in sorted(rows) for pair in rows[row]]
    assert pairs == [(t, t + 1) for t in TOKENS[:-1].tolist()]


def test_the_batch_decides_nothing_but_the_grouping():
    alone, together = (rows_of(Lanes(next_tokens(TOKENS), 7, batch, 5)) for batch in (1, 7))
    assert alone == together


def test_a_window_continues_the_one_before_and_starts_afresh_only_at_the_beginning():
    lanes = Lanes(next_tokens(TOKENS), 3, 3, 10)
    before = None
    for index in range(len(lanes)):
        inputs, targets, weights = lanes[index]
        assert inputs["reset"].all() == (index == 0) == inputs["reset"].any()
        if before is not None:
            np.testing.assert_array_equal(inputs["tokens"][:, 0][weights[:, 0] > 0], before[weights[:, 0] > 0])
        before = targets[:, -1]


def test_without_carry_every_window_starts_afresh():
    lanes = Lanes(next_tokens(TOKENS), 3, 3, 10, carry=False)
    assert all(lanes[index][0]["reset"].all() for index in range(len(lanes)))


def test_lengths_vary_by_seed_and_epoch_and_lose_nothing():
    def lengths(seed, epoch):
        lanes = Lanes(next_tokens(np.arange(5000)), 2, 2, 35, vary=True, seed=seed)
        lanes.seek(epoch, 0)
        found = rows_of(lanes)
        pairs = [pair for row in sorted(found) for pair in found[row]]
        assert pairs == [(t, t + 1) for t in range(4999)]
        return [lanes[i][1].shape[1] for i in range(len(lanes))]

    first = lengths(0, 0)
    assert len(set(first)) > 5 and min(first[:-1]) >= 5 and abs(np.mean(first) - 35) < 6
    assert first == lengths(0, 0) != lengths(0, 1) and first != lengths(1, 0)


def test_it_goes_on_inside_an_epoch():
    whole, rest = (Lanes(next_tokens(TOKENS), 3, 3, 10) for _ in range(2))
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

    lanes = Lanes(next_tokens(np.arange(100_000)), 4, 4, 16)
    lanes.examples.inputs["tokens"] = lanes.examples.inputs["tokens"].view(Watched)
    lanes[3]
    assert sum(reads) == 4 * 16
