"""Tables of the worst errors."""

import numpy as np

from seqtasks.task_types.common.worst_errors import (
    confused_classes,
    worst_of_classes,
    worst_of_numbers,
    worst_sentences,
    worst_tags,
)


def test_the_least_probable_truth_comes_first():
    logits = np.log([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.6, 0.4]])
    table = worst_of_classes(logits, np.array([1, 0, 1, 1]), ["no", "yes"], ["a", "b", "c", "d"])
    assert table.index.tolist() == [0, 1, 3] and table["text"].tolist() == ["a", "b", "d"]
    np.testing.assert_allclose(table["P(true)"], [0.1, 0.4, 0.4])
    np.testing.assert_allclose(table["P(predicted)"], [0.9, 0.6, 0.6])
    assert table["predicted"].tolist() == ["no", "yes", "no"]


def test_numbers_far_from_the_truth():
    table = worst_of_numbers(np.array([1.0, 5.0, 2.0]), np.array([1.5, 1.0, 2.0]), ["x", "y", "z"])
    assert table["name"].tolist() == ["y", "x", "z"] and table["error"].tolist() == [4.0, 0.5, 0.0]


def test_frequent_errors_of_words_come_first_with_a_sentence():
    words = [["the", "run", "ends"], ["a", "run"], ["they", "end"]]
    true = [["D", "N", "V"], ["D", "N"], ["P", "V"]]
    predicted = [["D", "V", "V"], ["D", "V"], ["P", "N"]]
    table = worst_tags(words, true, predicted)
    assert table.reset_index().values.tolist() == [
        ["run", "N", "V", 2, 1, "the [run] ends"],
        ["end", "V", "N", 1, 3, "they [end]"],
    ]
    assert worst_sentences(words, true, predicted).reset_index().values.tolist() == [
        [1, 1, 3, "the [run: N → V] ends"],
        [2, 1, 2, "a [run: N → V]"],
        [3, 1, 2, "they [end: V → N]"],
    ]
    flat = [[tag for row in rows for tag in row] for rows in (true, predicted)]
    assert confused_classes(*flat).reset_index().values.tolist() == [["N", "V", 2, 1.0], ["V", "N", 1, 0.5]]


def test_long_sentences_are_cut_around_the_word():
    words = [[str(n) for n in range(40)]]
    true, predicted = [["A"] * 40], [["A"] * 20 + ["B"] + ["A"] * 19]
    assert worst_tags(words, true, predicted)["text"].tolist() == [
        "… 12 13 14 15 16 17 18 19 [20] 21 22 23 24 25 26 27 28 …"
    ]
    characters = [list("if x: pass")]
    assert worst_tags(characters, [["k"] * 10], [["k"] * 3 + ["n"] + ["k"] * 6], "")["text"].tolist() == [
        "if [x]: pass"
    ]
