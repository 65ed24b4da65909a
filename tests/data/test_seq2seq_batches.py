"""Batches of pairs: contents of a row, and little padding of sources and targets."""

import numpy as np
import pytest

from seqtasks.data.seq2seq_batches import END, Pairs, numbered

RNG = np.random.default_rng(0)
SOURCES = [RNG.integers(0, 50, n) for n in np.maximum(1, RNG.normal(14, 5, 3000).astype(int))]
TARGETS = [RNG.integers(0, 50, max(1, len(s) + int(RNG.normal(0, 3)))) for s in SOURCES]
EXAMPLES = numbered(SOURCES, TARGETS)


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("tokens", [None, 600])
def test_little_is_padded_on_both_sides(shuffle, tokens):
    batches = Pairs(EXAMPLES, 32, tokens, shuffle)
    shapes = [[batches[i][0][name].shape for name in ("source", "targets")] for i in range(len(batches)) if i != 1]
    filled = sum(a * b for pair in shapes for a, b in pair)
    valid = sum(len(s) + len(t) + 1 for i in range(len(batches)) if i != 1 for s, t in
               ((SOURCES[r], TARGETS[r]) for r in batches.rows(i)))  # fmt: skip
    assert 1 - valid / filled < 0.10 and batches.padding == pytest.approx(1 - valid / filled, abs=0.005)
    assert sorted(np.concatenate([batches.rows(i) for i in range(len(batches))]).tolist()) == list(range(3000))
    if tokens:
        assert all(max(a * b for a, b in pair) <= tokens for pair in shapes)


def test_a_row_is_its_pair():
    batches = Pairs(EXAMPLES, 32, shuffle=True)
    inputs, targets, weights = batches[0]
    for position, row in enumerate(batches.rows(0)):
        source, target = SOURCES[row] + 2, [*(TARGETS[row] + 2).tolist(), END]
        assert inputs["source"][position, : len(source)].tolist() == source.tolist()
        assert not inputs["source"][position, len(source) :].any()
        assert targets[position, : len(target)].tolist() == target and weights[position].sum() == len(target)
        assert inputs["previous"][position, : len(target)].tolist() == [END, *target[:-1]]
    np.testing.assert_array_equal(inputs["targets"], targets)


@pytest.mark.parametrize(("first", "second"), [((3, 4), (3, 4)), ((4, 5), (3, 4)), ((5, 4), (3, 3)), ((5, 3), (4, 1))])
def test_the_first_two_batches_share_no_length(first, second):
    """Keras would infer a static length."""
    sides = [[np.ones(n, int)] * 32 + [np.ones(m, int)] * 32 for n, m in zip(first, second, strict=True)]
    batches = Pairs(numbered(*sides), 32)
    (one, *_), (other, *_) = batches[0], batches[1]
    assert all(other[name].shape[1] != one[name].shape[1] for name in one)
    assert (one["source"][:, : first[0]] > 0).all() and (other["source"] > 0).sum() == 32 * second[0]
