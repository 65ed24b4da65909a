"""Matrix of a suite: means and spread by hand, order, chance and ceiling, and its formats."""

from __future__ import annotations

import csv
import io
import json
import statistics

import pytest

from seqtasks.core.errors import TableError
from seqtasks.experiments import matrix_formats
from seqtasks.experiments.matrix import Matrix, build, family_of
from seqtasks.experiments.results import Row
from seqtasks.experiments.suites import Column, Suite
from tests.experiments.test_results import make

SUITE = Suite(
    "two", "Two tasks", (Column("a", "adding", ("options.length=5",), 1.0), Column("b", "copy_memory", (), 1))
)
SCORES = {"lstm": ([0.9, 0.7, 0.8], [0.5]), "min_gru": ([0.6], []), "gru": ([1.0], [1.0]), "lru": ([0.7], [0.6])}


def rows(column: int) -> list[Row]:
    chance = make(kind="baseline", cell="chance", value=(0.5, 0.2)[column], seed=0)
    better = make(kind="baseline", cell="3-gram", value=0.6, seed=0)
    runs = [
        make(cell=cell, value=value, seed=seed, config={"encoder.cell": cell})
        for cell, values in SCORES.items()
        for seed, value in enumerate(values[column])
    ]
    return [better, chance, *runs]


def matrix() -> Matrix:
    return build(SUITE, [rows(0), rows(1)], ["encoder.cell=lstm,min_gru,gru,lru", "seed=0,1,2"])


def test_lines_are_baselines_then_models_by_family_from_best_to_worst() -> None:
    lines = matrix().lines
    assert [line.label for line in lines] == ["chance", "3-gram", "gru", "lstm", "lru", "min_gru"]
    assert [line.family for line in lines] == ["", "", "nonlinear", "nonlinear", "linear", "linear"]
    assert family_of("no_such_cell") == "nonlinear"


def test_means_and_spread() -> None:
    entry = next(line for line in matrix().lines if line.label == "lstm").entries[0]
    assert entry.mean == pytest.approx(0.8) and entry.sd == pytest.approx(statistics.stdev([0.9, 0.7, 0.8]))
    assert matrix().chance == (0.5, 0.2)
    assert matrix().share(entry, 0) == pytest.approx(0.6)  # 0.8 between 0.5 and 1
    worse = next(line for line in matrix().lines if line.label == "min_gru").entries
    assert worse[1].mean is None and matrix().share(worse[1], 1) is None


def test_settings_that_vary_tell_lines_apart() -> None:
    runs = [make(cell="gru", value=0.5 + i / 10, config={"encoder.layers": i}) for i in (1, 2)]
    labels = [line.label for line in build(SUITE, [runs, []], ["encoder.cell=gru", "encoder.layers=1,2"]).lines]
    assert labels == ["gru encoder.layers=2", "gru encoder.layers=1"]


def test_text() -> None:
    lines = matrix_formats.render(matrix()).split("\n")
    assert lines[0].split() == ["cell", "state", "a", "%", "b", "%"]
    table = {line.split()[0]: line.split() for line in lines[2:9]}
    assert table["lstm"] == ["lstm", "nonlinear", "80.0", "±", "10.0", "(3)", "50.0"]
    assert table["min_gru"] == ["min_gru", "linear", "60.0", "–"]
    assert table["chance"] == ["chance", "50.0", "20.0"] and table["ceiling"] == ["ceiling", "100.0", "100.0"]
    assert "a: adding options.length=5; b: copy_memory" in lines[-1]
    assert len({len(line) for line in lines[2:8] if line.endswith("0")}) == 1, "numbers are right-aligned"


def test_records_in_csv_and_json() -> None:
    made = json.loads(matrix_formats.render(matrix(), "json"))
    assert len(made) == 2 * 2 + 7  # min_gru has no run of b
    first = next(one for one in made if (one["label"], one["column"]) == ("lstm", "a"))
    assert (first["values"], first["n"], first["chance"], first["ceiling"]) == ([0.9, 0.7, 0.8], 3, 0.5, 1.0)
    table = list(csv.DictReader(io.StringIO(matrix_formats.render(matrix(), "csv"))))
    assert [float(one["mean"]) for one in table] == [one["mean"] for one in made]
    assert table[0]["task"] == "adding" and table[0]["settings"] == "options.length=5"
    assert len(matrix().to_frame()) == len(made)


def test_other_formats() -> None:
    page = matrix()._repr_html_()
    assert page.count("<tr>") == 8 and "rgba(0, 114, 178, 0.70)" in page  # gru is at the ceiling
    assert "| gru | nonlinear | 100.0 | 100.0 |" in matrix_formats.render(matrix(), "markdown")
    assert r"min\_gru & linear & 60.0 & -- \\" in matrix_formats.render(matrix(), "latex")
    with pytest.raises(TableError, match="unknown format xml"):
        matrix_formats.render(matrix(), "xml")
