"""Summary of labelled data: sizes of splits, rare labels, duplicates, empty examples."""

from seqtasks.data.survey import Survey, summary

COUNTS = {"train": 1000, "validation": 10, "test": 20}


def test_sizes_alone():
    assert summary(Survey(COUNTS), "texts") == "1,000 texts for training, 10 for validation, 20 for test"


def test_labels():
    labels = {"train": ["a"] * 95 + ["b"] * 4 + ["c"], "validation": ["a", "b"], "test": ["a", "d", "e", "e"]}
    line = summary(Survey(COUNTS, labels), "texts")
    assert "3 labels, the most frequent is 'a' (95 %), so a constant prediction has this accuracy" in line
    assert "only one training example for label 'c'" in line
    assert "test has labels 'd', 'e' (3 times), not in training: always predicted wrong" in line
    assert "validation has" not in line
    even = {"train": ["a", "b"] * 9, "validation": ["a"], "test": ["b"]}
    assert summary(Survey(COUNTS, even), "texts").endswith("2 labels, the most frequent is 'a' (50 %)")


def test_long_lists_are_cut():
    labels = {"train": [*"abcdefg", "h", "h"], "validation": ["h"], "test": ["h"]}
    assert "labels 'a', 'b', 'c' and 4 more" in summary(Survey(COUNTS, labels), "texts")


def test_duplicates_and_empty_examples():
    keys = {"train": ["x", "y"], "validation": ["z"], "test": ["x", "x", "z", "w"]}
    line = summary(Survey(COUNTS, keys=keys, empty={"train": 3, "validation": 0, "test": 1}), "texts")
    assert "also in training: 2 of the test texts (50 %)" in line and "validation texts" not in line
    assert "empty: 3 of the train texts" in line and "empty: 1 of the test texts" in line
