"""Examples, stratified splits and limits."""

import numpy as np
import pytest

from seqtasks.core.errors import DataError
from seqtasks.data.bucketing import Ragged
from seqtasks.data.splits import Examples, Splits, held_out_count, hold_out, limit, sample, stratified


def examples(n):
    return Examples({"x": np.arange(n) * 10, "y": np.zeros((n, 2))}, np.arange(n))


def test_examples_are_counted_and_taken():
    five = examples(5)
    assert len(five) == 5
    assert five.take(2).targets.tolist() == [0, 1] and len(five.take(9)) == 5
    picked = five.take([4, 0])
    assert picked.inputs["x"].tolist() == [40, 0] and picked.inputs["y"].shape == (2, 2)
    assert five.take(np.array([3])).targets.tolist() == [3] and len(five.take([])) == 0


def test_examples_are_joined():
    parts = [[[1, 2], [], [3]], [[4], [5, 6]]]
    first, second = (
        Examples({"x": Ragged.of(rows), "y": np.arange(len(rows))}, np.ones(len(rows)) * n)
        for n, rows in enumerate(parts)
    )
    both = first.joined(second)
    assert [both.inputs["x"].row(i).tolist() for i in range(5)] == [*parts[0], *parts[1]]
    assert both.inputs["y"].tolist() == [0, 1, 2, 0, 1] and both.targets.tolist() == [0, 0, 0, 1, 1]


def test_examples_that_disagree_are_refused():
    with pytest.raises(DataError, match="'x' has 3 examples, expected 4"):
        Examples({"x": np.zeros(3)}, np.zeros(4))


def test_small_sets_hold_out_a_larger_share():
    assert [held_out_count(n, 10) for n in (25_000, 2000, 1000, 500, 300, 50)] == [2500, 200, 100, 100, 60, 10]
    assert held_out_count(30, 10, classes=10) == 10


def test_samples_are_nested_and_the_same_each_time():
    assert sample(5, None).tolist() == sample(5, 9).tolist() == [0, 1, 2, 3, 4]
    small, large = sample(1000, 50), sample(1000, 300)
    assert len(small) == 50 and set(small) < set(large) and (np.diff(small) > 0).all()
    assert small.max() > 500, "the sample is not drawn from all examples"


def test_stratified_keeps_proportions_and_repeats():
    targets = np.repeat([0, 1, 2], [60, 30, 10])
    kept, held_out = stratified(targets, 20, seed=3)
    assert np.bincount(targets[held_out]).tolist() == [12, 6, 2]
    assert sorted([*kept, *held_out]) == list(range(100))
    assert (np.diff(kept) > 0).all() and (np.diff(held_out) > 0).all()
    np.testing.assert_array_equal(held_out, stratified(targets, 20, seed=3)[1])
    assert held_out.tolist() != stratified(targets, 20, seed=4)[1].tolist()


@pytest.mark.parametrize(
    ("targets", "count", "expected"),
    [
        ([0, 1, 0, 1], 1, "cannot hold out 1 of 4"),
        ([0, 1, 0, 1], 3, "cannot hold out 3 of 4"),
        ([0, 1, 0, 1], 9, "cannot hold out 9 of 4"),
        ([0, 0, 0, 0], 0, "cannot hold out 0 of 4"),
        ([0, 0, 0, 1], 2, "class 1 has only one example"),
        ([], 0, "cannot hold out 0 of 0"),
    ],
)
def test_too_few_examples_for_a_split(targets, count, expected):
    with pytest.raises(DataError, match=expected):
        stratified(np.array(targets, np.int64), count, seed=0)


def test_the_only_example_of_a_class_is_kept():
    targets = np.repeat([0, 1, 2, 3], [60, 1, 30, 1])
    kept, held_out = hold_out(targets, 9, seed=3)
    assert np.bincount(targets[held_out], minlength=4).tolist() == [6, 0, 3, 0]
    assert sorted([*kept, *held_out]) == list(range(92)) and (np.diff(kept) > 0).all()
    for one, other in zip(hold_out(np.arange(60) % 2, 9, 1), stratified(np.arange(60) % 2, 9, 1), strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(DataError, match=r"3 examples cannot be divided .*: no label occurs twice; needed: two"):
        hold_out(np.arange(3), 1, 0)


def test_limit_cuts_training_and_validation_and_the_test_split_only_when_asked():
    splits = Splits(
        examples(9), examples(3), examples(5), "builtin:x", "0" * 16, {"shape": [2], "counts": {"train": 9}}
    )
    small = limit(splits, 4)
    assert [len(small.train), len(small.validation), len(small.test)] == [4, 3, 5]
    assert small.spec.to_dict() == {"shape": [2], "counts": {"train": 4, "validation": 3, "test": 5}}
    quick = limit(splits, None, 2)
    assert [len(quick.train), len(quick.validation), len(quick.test)] == [9, 3, 2]
    assert splits.spec.counts == {"train": 9} and small.source == "builtin:x"
    assert limit(splits, None) is splits


def test_parts_are_the_splits_in_order():
    splits = Splits(examples(9), examples(3), examples(5), "builtin:x", "0" * 16, {})
    assert {name: len(part) for name, part in splits.parts.items()} == {"train": 9, "validation": 3, "test": 5}
    assert list(splits.parts) == ["train", "validation", "test"]
