"""Columns of prediction rows."""

import numpy as np
import pytest

from seqtasks.task_types.common.columns import class_row, probabilities

CLASSES = ["no", "yes"]


def test_a_row_names_the_example_then_the_answer_then_facts_and_probabilities():
    row = class_row({"image": "a.png"}, CLASSES, np.array([0.25, 0.75]), {"inverted": "no"})
    assert list(row.items()) == [
        ("image", "a.png"),
        ("answer", "yes"),
        ("inverted", "no"),
        ("P(no)", 0.25),
        ("P(yes)", 0.75),
    ]
    assert list(class_row({"frame": 1}, CLASSES, np.array([1.0, 0.0]))) == ["frame", "answer", "P(no)", "P(yes)"]


def test_probabilities_have_four_digits_and_as_many_as_names():
    assert probabilities(CLASSES, [0.123456, 0.876544]) == {"P(no)": 0.1235, "P(yes)": 0.8765}
    with pytest.raises(ValueError):
        probabilities(CLASSES, [1.0])
