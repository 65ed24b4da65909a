"""Length buckets: every row once, little padding, random neighbours, and an equal order after an interruption."""

import keras
import numpy as np
import pytest

from seqtasks.data.bucketing import Buckets, Ragged
from seqtasks.data.splits import Examples

rng = np.random.default_rng(0)
LENGTHS = np.maximum(0, rng.lognormal(2.3, 0.8, 3000).astype(int))  # like sentences; some are empty
ROWS = Ragged(np.arange(1, LENGTHS.sum() + 1, dtype=np.int32), np.cumsum(LENGTHS))
EACH = Examples({"x": ROWS}, Ragged(ROWS.values * 2, ROWS.ends))
ONE = Examples({"x": ROWS}, np.arange(3000))


def epoch(batches):
    return [batches.rows(i) for i in range(len(batches))]


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("tokens", [None, 300])
def test_every_row_is_in_one_batch_and_little_is_padded(shuffle, tokens):
    batches = Buckets(EACH, 16, tokens, shuffle)
    assert sorted(np.concatenate(epoch(batches)).tolist()) == list(range(3000))
    assert 0 <= batches.padding < 0.08
    shapes = [batches.make(i)[0].shape for i in range(len(batches))]
    padded = 1 - LENGTHS.sum() / sum(a * b for a, b in shapes)
    assert padded == pytest.approx(batches.padding, abs=1e-9)
    for rows, time in shapes:
        assert rows <= 16 and (tokens is None or rows == 1 or rows * time <= tokens)


def test_a_batch_is_what_its_rows_are():
    batches = Buckets(EACH, 16, shuffle=True)
    for index in range(0, len(batches), 7):
        inputs, targets, weights = batches[index]
        for position, row in enumerate(batches.rows(index)):
            n = LENGTHS[row]
            assert inputs[position, :n].tolist() == ROWS.row(row).tolist() and not inputs[position, n:].any()
            assert targets[position, :n].tolist() == (2 * ROWS.row(row)).tolist()
            assert weights[position].tolist() == [1.0] * n + [0.0] * (inputs.shape[1] - n)


def test_any_two_rows_can_meet_and_batches_come_in_any_order():
    batches = Buckets(ONE, 16, shuffle=True)
    first = epoch(batches)
    batches.on_epoch_begin()
    batches.on_epoch_end()
    second = epoch(batches)
    equal_batches = {frozenset(rows.tolist()) for rows in first} & {frozenset(rows.tolist()) for rows in second}
    assert len(equal_batches) <= 1  # the longest rows have few others of similar length
    means = [LENGTHS[rows].mean() for rows in first]
    assert abs(np.corrcoef(means, np.arange(len(means)))[0, 1]) < 0.2  # neither short nor long ones come first
    assert all((a == b).all() for a, b in zip(first, epoch(Buckets(ONE, 16, shuffle=True)), strict=True))
    assert any(
        len(a) != len(b) or (a != b).any() for a, b in zip(first, epoch(Buckets(ONE, 16, None, True, 1)), strict=True)
    )


def test_it_goes_on_inside_an_epoch():
    whole, resumed = Buckets(ONE, 16, shuffle=True), Buckets(ONE, 16, shuffle=True)
    whole.seek(2, 0)
    resumed.seek(2, 5)
    assert len(resumed) == len(whole) - 5 and (resumed.rows(0) == whole.rows(5)).all()
    np.testing.assert_array_equal(resumed[0][0], whole[5][0])


@pytest.mark.parametrize("lengths", [(2, 2, 3), (3, 2, 4), (2, 3, 1)])
def test_keras_takes_no_length_for_fixed(lengths):
    """If the first two batches had equal lengths, Keras would raise an error for every other length."""
    rows = Ragged.of([[1] * n for n in sorted(lengths, reverse=True) for _ in range(2)])
    batches = Buckets(Examples({"x": rows}, Ragged(rows.values, rows.ends)), 2)
    assert batches[0][0].shape[1] != batches[1][0].shape[1]
    x = keras.Input((None,), dtype="int32", name="x")
    model = keras.Model(x, keras.layers.Embedding(2, 3)(x))
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(batches, shuffle=False, verbose=0)
