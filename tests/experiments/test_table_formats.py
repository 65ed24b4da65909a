"""A table as text, Markdown, CSV, LaTeX, HTML and JSON."""

from __future__ import annotations

import csv
import io
import json
import sys

import pytest

from seqtasks.core.errors import TableError
from seqtasks.experiments.table import build
from seqtasks.experiments.table_formats import render
from tests.experiments.test_results import make
from tests.experiments.test_table import BASELINE, GRU, LSTM, ROWS

NOTE = (
    "mnist_rows v1 · tfds:mnist · fingerprint 0123abcd · seeds 0,1,2 · "
    "seqtasks 0.1.0, Keras 3.15.1, tensorflow 2.21.0 · 2 threads on box"
)
STAR = "score: mean ± standard deviation (number of seeds); *: best mean among the models"
BOLD = STAR.replace("*", "bold")


def test_text() -> None:
    assert render(build(ROWS)).splitlines() == [
        "cell             accuracy % ↑   encoder params   params   s/epoch   engine",
        "────────────────────────────────────────────────────────────────────────────────",
        "50% & a_b           92.60 (1)                –    7,850         –   scikit-learn",
        "lstm        98.75 ± 0.35 (2)*           60,672   80,000      9.10   keras",
        "gru          98.10 ± 0.20 (3)           60,672   61,962      9.10   keras",
        "",
        STAR,
        NOTE,
    ]


def test_text_is_bold_on_a_terminal_and_never_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setenv("TERM", "xterm")
    text = render(build([make(cell="[red]" + "x" * 200)]))
    assert "\x1b[1m98.00 (1)\x1b[0m" in text
    assert "[red]" + "x" * 200 in text
    assert BOLD in text


def test_a_notebook_gets_the_whole_text(monkeypatch: pytest.MonkeyPatch) -> None:
    text = render(build(ROWS))
    assert repr(build(ROWS)) == str(build(ROWS)) == text
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    assert render(build(ROWS)) == text and "cell" in text.splitlines()[0]


def test_no_best_row_among_baselines_alone() -> None:
    assert "mean ± standard deviation (number of seeds)\n" in render(build([BASELINE]))
    assert "best" not in render(build([BASELINE]), "markdown")


def test_markdown() -> None:
    assert render(build(ROWS), "markdown").splitlines() == [
        "| cell | accuracy % ↑ | encoder params | params | s/epoch | engine |",
        "| :-- | --: | --: | --: | --: | :-- |",
        "| 50% & a_b | 92.60 (1) | – | 7,850 | – | scikit-learn |",
        "| lstm | **98.75 ± 0.35 (2)** | 60,672 | 80,000 | 9.10 | keras |",
        "| gru | 98.10 ± 0.20 (3) | 60,672 | 61,962 | 9.10 | keras |",
        "",
        f"{BOLD}  ",
        NOTE,
    ]


def test_html() -> None:
    assert render(build([LSTM[0], BASELINE]), "html").splitlines() == [
        "<table>",
        "<thead><tr><th>cell</th><th>accuracy % ↑</th><th>encoder params</th><th>params</th><th>s/epoch</th>"
        "<th>engine</th></tr></thead>",
        "<tbody>",
        "<tr><td>50% &amp; a_b</td><td>92.60 (1)</td><td>–</td><td>7,850</td><td>–</td><td>scikit-learn</td></tr>",
        "<tr><td>lstm</td><td><b>98.50 (1)</b></td><td>60,672</td><td>80,000</td><td>9.10</td><td>keras</td></tr>",
        "</tbody>",
        "</table>",
        f"<p>{BOLD}</p>",
        "<p>the best model has a single run, so its score may be due to its seed; add seed=0,1,2</p>",
        f"<p>{NOTE.replace('0,1,2', '0')}</p>",
    ]


def test_latex() -> None:
    lines = render(build(ROWS), "latex").splitlines()
    assert lines[:-2] == [
        r"\begin{tabular}{lrrrrl}",
        r"\hline",
        r"cell & accuracy \% $\uparrow$ & encoder params & params & s/epoch & engine \\",
        r"\hline",
        r"50\% \& a\_b & 92.60 (1) & -- & 7,850 & -- & scikit-learn \\",
        r"lstm & \textbf{98.75 $\pm$ 0.35 (2)} & 60,672 & 80,000 & 9.10 & keras \\",
        r"gru & 98.10 $\pm$ 0.20 (3) & 60,672 & 61,962 & 9.10 & keras \\",
        r"\hline",
        r"\end{tabular}",
        "",
    ]
    assert lines[-2] == BOLD.replace("±", r"$\pm$") + r" \\"
    assert lines[-1].startswith(r"mnist\_rows v1 $\cdot$ tfds:mnist")
    assert lines[-1].isascii()


def test_csv_and_json_hold_raw_numbers() -> None:
    rows = [*GRU, make(cell="lstm", value=0.99, config={"encoder.units": 64}), BASELINE]
    records = json.loads(render(build(rows), "json"))
    assert [record["cell"] for record in records] == ["50% & a_b", "lstm", "gru"]
    assert [record["encoder.units"] for record in records] == [None, 64, 128]
    assert records[2]["mean"] == pytest.approx(0.981)
    assert records[2]["sd"] == pytest.approx(0.002)
    assert (records[2]["n"], records[2]["seeds"], records[2]["values"]) == (3, [0, 1, 2], [0.981, 0.983, 0.979])
    assert records[1]["sd"] is None
    lines = list(csv.DictReader(io.StringIO(render(build(rows), "csv"))))
    assert list(lines[0]) == list(records[0])
    assert (lines[2]["encoder.units"], lines[2]["seeds"], lines[1]["sd"]) == ("128", "0 1 2", "")


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(TableError, match=r"unknown format markdwn; did you mean markdown\?"):
        render(build(ROWS), "markdwn")


def test_where_lower_is_better_the_smallest_comes_first() -> None:
    rows = [
        make(metric="perplexity", higher_is_better=False, value=value, cell=cell)
        for cell, value in [("a", 123.456), ("b", 5.6789), ("c", 12345.6), ("d", 0.00001234)]
    ]
    rows += [make(metric="perplexity", higher_is_better=False, value=0.0, cell="z", kind="baseline")]
    lines = render(build(rows), "markdown").splitlines()
    assert "perplexity ↓" in lines[0]
    scores = [line.split(" | ")[1] for line in lines[2:7]]
    assert scores == ["0.000 (1)", "**1.234e-05 (1)**", "5.679 (1)", "123.5 (1)", "12346 (1)"]


@pytest.mark.parametrize(
    ("metric", "value", "score"), [("bleu", 0.25, "0.2500"), ("accuracy", 1.5, "1.500"), ("span_f1", 0.5, "50.00")]
)
def test_only_shares_are_percentages(metric: str, value: float, score: str) -> None:
    assert f"**{score} (1)**" in render(build([make(metric=metric, value=value)]), "markdown")
