"""Properties of texts and of sequences of numbers, by hand."""

from __future__ import annotations

import numpy as np

from seqtasks.task_types.common.steps import class_properties, signal_properties, text_properties

NAN = np.nan


def rows(text: str) -> dict[str, list[float]]:
    return {name: values[0].tolist() for name, values in text_properties([list(text)], "", len(text)).items()}


def test_positions_are_counted_from_line_breaks_and_blank_lines() -> None:
    #       a    b   \n  c    \n  \n   d    e    \n
    text = "ab\nc\n\nde\n"
    made = rows(text)
    np.testing.assert_equal(made["position in the line"], [NAN, NAN, 0, 1, 0, 0, 1, 2, 0])
    np.testing.assert_equal(made["line of the paragraph"], [NAN] * 6 + [1, 1, 1])
    np.testing.assert_equal(made["first line after a blank line"], [NAN] * 6 + [1, 1, 1])
    np.testing.assert_equal(made["position in the word"], [1, 2, 0, 1, 0, 0, 1, 2, 0])


def test_names_before_a_colon_end_with_it() -> None:
    text = "x\n\nROMEO:\nNo: it\n"
    made = dict(zip(text, rows(text)["inside a name before a colon"], strict=False))
    inside = rows(text)["inside a name before a colon"]
    np.testing.assert_equal(inside[:3], [NAN] * 3)
    assert inside[3:9] == [1] * 6 and inside[9:] == [0] * 8
    assert made["R"] == 1


def test_quotes_and_brackets_end_at_a_blank_line() -> None:
    text = 'a "b" (c [d] e\n\nf) “g” h'
    made = rows(text)
    quoted = {c for c, inside in zip(text, made["inside quotes"], strict=True) if inside}
    bracketed = {c for c, inside in zip(text, made["inside brackets"], strict=True) if inside}
    assert {"b", "g"} <= quoted and not {"a", "c", "f", "h"} & quoted
    assert {"c", "d", "e"} <= bracketed and not {"a", "b", "f", "g"} & bracketed


def test_indentation_and_capitals() -> None:
    text = "a\n  Be c"
    made = rows(text)
    np.testing.assert_equal(made["indentation of the line"], [NAN, NAN, 2, 2, 2, 2, 2, 2])
    assert made["inside a word with a capital"] == [0, 0, 0, 0, 1, 1, 0, 0]


def test_words_have_the_value_of_their_last_character_and_padding_has_none() -> None:
    made = text_properties([["one", '"', "two"], ["x"]], " ", 4)["inside quotes"]
    np.testing.assert_equal(made, [[0, 1, 1, NAN], [0, NAN, NAN, NAN]])
    assert text_properties([[]], "", 0) is not None


def test_numbers_have_their_value_and_the_mean_so_far() -> None:
    made = signal_properties(np.array([[[1.0], [3.0], [5.0]]]), ["x"])
    np.testing.assert_equal(made["x, mean so far"], [[1, 2, 3]])
    np.testing.assert_equal(made["step"], [[1, 2, 3]])
    assert set(signal_properties(np.zeros((1, 2, 9)), list("abcdefghi"))) == {
        "step",
        "mean of the features",
        "mean of the features, mean so far",
    }


def test_two_classes_are_one_property_and_many_are_none() -> None:
    made = class_properties(np.array([0, 1]), ["no", "yes"], 2)
    np.testing.assert_equal(made, {"class yes": np.array([[0.0, 0.0], [1.0, 1.0]])})
    assert len(class_properties(np.array([0, 2]), ["a", "b", "c"], 2)) == 3
    assert class_properties(np.array([0]), [str(n) for n in range(30)], 2) == {}
