"""Doubts about the scores of a table: marks and the lines that explain them."""

from __future__ import annotations

import csv
import io
import json

import pytest

from seqtasks.experiments import doubts
from seqtasks.experiments.results import Row
from seqtasks.experiments.table import build
from seqtasks.experiments.table_formats import render
from tests.experiments.test_results import make
from tests.experiments.test_table import BASELINE, LSTM, ROWS


def few(updates: int = 344, advice: str = "leave train.epochs unset (94 epochs)", minimum: str = "4,000") -> str:
    return f"trained for {updates:,} weight updates, fewer than the {minimum} of train.min_updates: {advice}"


LINE = "† trained for fewer weight updates than train.min_updates (344 of 4,000): leave train.epochs unset"
FEW = [make(seed=seed, value=0.97, notes=[few()]) for seed in (0, 1, 2)]
DOUBTFUL = [*FEW, *LSTM, BASELINE]


def lines(rows: list[Row]) -> list[str]:
    return doubts.lines([group.rows for group in build(rows).groups])


def test_rows_without_doubts_have_no_lines() -> None:
    assert lines(ROWS) == []


@pytest.mark.parametrize("format", ["text", "markdown", "html"])
def test_few_updates_are_marked_and_explained_once(format: str) -> None:
    text = render(build(DOUBTFUL), format)
    assert text.count(LINE) == 1 and "97.00 ± 0.00 (3)†" in text and text.count("†") == 2


def test_the_mark_in_latex() -> None:
    text = render(build(DOUBTFUL), "latex")
    assert r"97.00 $\pm$ 0.00 (3)$\dagger$ &" in text and r"$\dagger$ trained for fewer" in text and text.isascii()


def test_csv_and_json_have_the_notes() -> None:
    table = build([*DOUBTFUL, make(seed=3, value=0.97, notes=[few(), "doubtful"])])
    assert [record["notes"] for record in json.loads(render(table, "json"))] == [[], [], [few(), "doubtful"]]
    assert [line["notes"] for line in csv.DictReader(io.StringIO(render(table, "csv")))] == [
        "",
        "",
        few() + "; doubtful",
    ]


def test_one_line_for_each_kind_of_note() -> None:
    rows = [
        make(notes=[few(40, "raise train.epochs or leave it unset")]),  # the wording of older versions
        make(seed=1, notes=[few(1_344), f"{doubts.UNPREDICTED}: 'a'"]),
        make(cell="lstm", notes=[few(9, minimum="30"), f"{doubts.UNPREDICTED}: 'b'"]),
    ]
    assert lines(rows) == [
        "† trained for fewer weight updates than train.min_updates (9 of 30; 40 to 1,344 of 4,000): leave "
        "train.epochs unset",
        "‡ never predicts some labels of the test split",
    ]
    assert doubts.mark(rows) == "†‡" and doubts.mark(rows[:1]) == "†"
    (line,) = lines([make(notes=[few(advice="set train.epochs=1000")])])
    assert line.endswith(": set a larger train.epochs")


def test_scores_of_few_test_examples_are_uncertain() -> None:
    rows = [make(value=1.0, test_examples=12), make(cell="lstm", value=7 / 12, test_examples=12)]
    (line,) = lines(rows)
    assert line == "scores of 12 test examples are uncertain by up to ±26 points (95 %)"
    assert lines([make(test_examples=10_000)]) == []


def test_models_below_their_baseline() -> None:
    below = "worse than the best baseline, 50% & a_b"
    low = make(cell="mgu", value=0.5)
    assert lines([low, BASELINE]) == [f"the model scores {below}"]
    assert lines([*ROWS, low]) == [f"1 of 3 models scores {below}"]
    assert lines([make(value=0.6), low, BASELINE]) == [f"2 of 2 models score {below}"]
    equal = make(value=BASELINE.value)
    assert lines([equal, BASELINE]) == lines([low]) == []


def test_a_baseline_that_learns_from_the_test_text_is_compared_with_dynamic_evaluation() -> None:
    facts = {"metric": "nats", "higher_is_better": False}
    xz = make(kind="baseline", cell="xz", value=2.0, scores={"nats": 2.0, "dynamic_nats": 2.0}, **facts)
    row = make(value=2.2, scores={"nats": 2.2, "dynamic_nats": 1.9}, **facts)
    assert lines([row, xz]) == []
    static = make(value=2.2, scores={"nats": 2.2}, **facts)
    assert lines([static, xz]) == ["the model scores worse than the best baseline, xz"]
