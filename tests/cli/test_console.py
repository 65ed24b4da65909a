"""Tables of answers as text, CSV and JSON."""

from __future__ import annotations

import json

from rich.text import Text

from seqtasks.cli import console
from seqtasks.cli.console import print_rows, render_rows


def test_json_has_null_for_nan() -> None:
    row = {"a": float("nan"), "b": [float("inf"), 1.5], "c": {"d": float("-inf")}, "e": Text("é"), "f": None}
    text = render_rows([row, row], "json")
    assert text.count("\n") == 2 and "é" in text
    assert json.loads(text.split("\n")[0]) == {"a": None, "b": [None, 1.5], "c": {"d": None}, "e": "é", "f": None}
    assert json.loads(render_rows([row], "json", ascii=True)) == json.loads(text.split("\n")[0])


def test_lists_are_words_and_missing_values_are_empty() -> None:
    rows = [{"text": "a\u2028b", "tags": ["X", "Y"], "p": 0.5}, {"text": "", "tags": None, "p": None}]
    assert render_rows(rows, "csv") == "text,tags,p\na\u2028b,X Y,0.5\n,,\n"
    lines = render_rows(rows, "text").split("\n")
    assert [line.split() for line in lines[:2]] == [["text", "tags", "p"], ["a", "b", "X", "Y", "0.5000"]]
    assert lines[2:] == ["", ""]


def test_long_tables_without_rich_have_the_text_of_those_with_it() -> None:
    for rows in (
        [("runs/a-b", "tfds:x", "finished"), ("r", "", "x")],
        [("runs/漢字", "ß:é", "late"), ("r", "x", "[b]")],
    ):
        table = console.plain("run", "data", "status", title="runs")
        for row in rows:
            table.add_row(*row)
        assert console.columns_text("runs", ["run", "data", "status"], rows) == console.plain_text(table)


def test_brackets_in_cells_are_text_and_not_markup(capsys) -> None:
    print_rows([{"text": "[red] and [/b]"}])
    assert "[red] and [/b]" in capsys.readouterr().out
