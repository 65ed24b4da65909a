"""Splits of series: in proportion, by group, by time, and labels that only the test split has."""

import dataclasses

import numpy as np
import pytest

from seqtasks.core.errors import DataError
from seqtasks.data.series.segments import Segments
from seqtasks.data.series.sets import SeriesData, SeriesSet
from seqtasks.data.series.splits import as_numbers, cut_in_time, kind_of, split


def series(count, targets=("u", "v"), **facts):
    rows = Segments.stack([np.full((3, 1), i) for i in range(count)])
    names = [str(i) for i in range(count)]
    return SeriesSet(rows, ["x"], ids=names, targets=[targets[i % len(targets)] for i in range(count)], **facts)


def halves(train, kind="classes", how="random", **parts):
    return split(SeriesData({"train": train, **parts}, "", ""), kind, how)


def names(parts):
    return [set(part.ids) for part in parts.values()]


def test_missing_splits_are_held_out_in_proportion_and_reproducibly():
    parts, _ = halves(series(100))
    assert [len(part) for part in parts.values()] == [64, 16, 20]
    assert parts["test"].targets.count("u") == 10 and not set.intersection(*names(parts))
    assert names(halves(series(100))[0]) == names(parts)
    given, _ = halves(series(100), test=series(7))
    assert [len(part) for part in given.values()] == [80, 20, 7]
    numbers, _ = halves(series(100, ("0.5", "1.5", "2.5")), "number")
    assert [len(part) for part in numbers.values()] == [64, 16, 20]
    assert not set.union(*names(numbers)) - set(map(str, range(100)))


@pytest.mark.parametrize("kind", ["classes", "number"])
def test_no_group_is_on_two_sides(kind):
    groups = [f"patient {i // 7}" for i in range(140)]
    parts, _ = halves(series(140, ("1.5", "2.5"), groups=groups), kind)
    members = [set(part.groups) for part in parts.values()]
    assert sum(map(len, members)) == 20 == len(set.union(*members)) and all(len(part) > 6 for part in parts.values())
    assert sum(len(part) for part in parts.values()) == 140
    with pytest.raises(DataError, match=r"has 1 group to split, 'a'; allowed: three or more"):
        halves(series(20, groups=["a"] * 20), kind)


def test_the_future_is_never_in_training():
    begins = np.random.default_rng(0).permutation(60) * 2.0  # each series takes three steps: it overlaps the next
    times = Segments.stack([begin + np.arange(3) for begin in begins], "float64")
    parts, notes = halves(series(60, times=times), how="time")
    spans = [(min(part.times.row(i)[0] for i in range(len(part))), max(part.times.row(i)[-1] for i in range(len(part))))
             for part in parts.values()]  # fmt: skip
    assert spans[0][1] < spans[1][0] and spans[1][1] < spans[2][0]
    assert notes == ["1 series reach into the time of held-out ones and are left out"] * 2
    assert sum(len(part) for part in parts.values()) == 58
    with pytest.raises(DataError, match=r"has no times, which options\.split=time needs"):
        halves(series(60), how="time")
    same = Segments.stack([np.arange(3.0)] * 60, "float64")
    with pytest.raises(DataError, match=r"every series reaches into the time of the last 12;"):
        halves(series(60, times=same), how="time")


def test_a_label_of_the_test_split_alone_is_named_by_file_and_row(tmp_path):
    test = series(3, ("u", "w"), path=tmp_path / "test.csv", rows=np.arange(1, 4))
    with pytest.raises(DataError, match=r"test\.csv, row 2: no training series has the label 'w'; allowed: u, v; add"):
        halves(series(20), test=test)
    assert len(halves(series(20, ("1", "2")), "number", test=test)[0]["test"]) == 3  # a number may be new


def test_limits_cut_training_before_validation_is_held_out():
    data = SeriesData({"train": series(100), "test": series(50)}, "", "")
    parts, _ = split(data, "classes", limits={"train": 40, "validation": 40, "test": 10})
    assert [len(part) for part in parts.values()] == [32, 8, 10]


def test_too_few_series():
    with pytest.raises(DataError, match=r"has 2 series; allowed: three or more"):
        halves(series(2, ("0.5",)), "number")


def test_classes_and_numbers_are_distinguished_by_their_values():
    assert kind_of([str(i) for i in range(20)]) == "classes" and kind_of([str(i) for i in range(21)]) == "number"
    assert (
        kind_of(["1.0", "2.0"]) == "classes" and kind_of(["1", "2.5"]) == "number" and kind_of(["1", "x"]) == "classes"
    )
    assert as_numbers(series(2, ("1e3", "-2"))).tolist() == [1000, -2]
    with pytest.raises(DataError, match=r"the series 1: the target 'x' is not a number; allowed: numbers"):
        as_numbers(series(2, ("1", "x")))


def test_long_series_are_cut_in_time():
    long = SeriesSet(Segments.stack([np.arange(20.0)[:, None], np.arange(10.0)[:, None]]), ["x"], ids=["a", "b"])
    parts = cut_in_time(long, (0.8, 0.1, 0.1))
    assert [part.values.lengths.tolist() for part in parts.values()] == [[16, 8], [2, 1], [2, 1]]
    assert parts["test"].values.row(0)[:, 0].tolist() == [18, 19] and parts["test"].values.steps is long.values.steps
    times = Segments.stack([np.arange(20.0), np.arange(10.0)], "float64")  # b has ended when validation begins
    parts = cut_in_time(dataclasses.replace(long, times=times), (0.8, 0.1, 0.1))
    assert [part.ids for part in parts.values()] == [["a", "b"], ["a"], ["a"]]
    assert parts["train"].times.row(0)[-1] < parts["validation"].times.row(0)[0]


@pytest.mark.filterwarnings("error")
def test_an_infinite_target_is_a_number_without_a_warning():
    assert kind_of(["1", "inf", "2"]) == "number"
