"""The generated parts of docs/ agree with the registries, and what README.md counts is true."""

from __future__ import annotations

import ast
import doctest
import importlib
import importlib.util
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from seqtasks.core import plugins, version

ROOT = Path(__file__).resolve().parents[1]


def script(name: str) -> Any:
    """A script of docs/ as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


make_tables = script("make_tables")

CELLS = (ROOT / "docs" / "cells" / "index.md").read_text(encoding="utf-8")
TOPOLOGIES = (ROOT / "docs" / "tasks" / "index.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
ENGINES = (ROOT / "docs" / "guides" / "engines.md").read_text(encoding="utf-8")
WHAT = "; run python docs/make_tables.py"


@pytest.mark.parametrize("name", make_tables.FILES)
def test_the_tables_are_up_to_date(name: str) -> None:
    text = (make_tables.DOCS / name).read_text(encoding="utf-8")
    new = make_tables.generated(text)
    assert new.splitlines() == text.splitlines(), WHAT


def test_the_picture_of_the_folders_is_up_to_date() -> None:
    stored = (ROOT / "docs" / "development" / "rooms.svg").read_text(encoding="utf-8")
    assert script("draw_rooms").draw() == stored, "; run python docs/draw_rooms.py"


def test_the_schemas_are_up_to_date() -> None:
    texts = {path.name: path.read_text(encoding="utf-8") for path in make_tables.SCHEMAS.iterdir()}
    made = make_tables.schemas()
    assert sorted(texts) == sorted(made), WHAT
    assert [name for name, text in made.items() if texts[name] != text] == [], WHAT


def test_the_table_of_completion_is_up_to_date() -> None:
    stored = make_tables.completion_values.TABLE.read_text(encoding="utf-8")
    assert stored.splitlines() == make_tables.completions().splitlines(), WHAT


def test_every_cell_is_in_one_section() -> None:
    assert sorted(make_tables.listed_cells(CELLS)) == sorted(make_tables.bundled_cells()), WHAT


def test_every_task_has_a_row() -> None:
    rows = re.findall(r"^\| [a-z-]+ \| `(\w+)`", TOPOLOGIES, re.M)
    tasks = [entry.name for entry in plugins.tasks.entries() if entry.module.startswith("seqtasks.tasks.")]
    assert sorted(rows) == sorted(tasks), WHAT


def test_generated_parts_are_rewritten_and_measured_parts_stay() -> None:
    assert "| loop, native, keras |" in CELLS
    assert make_tables.generated(CELLS.replace("| loop, native, keras |", "| loop |")) == CELLS
    assert make_tables.generated(TOPOLOGIES.replace("| synced | `tagging`", "| many-to-one | `tagging`")) == TOPOLOGIES
    other = TOPOLOGIES.replace("95.3 %", "12.3 %")
    assert other != TOPOLOGIES and make_tables.generated(other) == other
    with pytest.raises(KeyError, match="no_such_cell"):
        make_tables.generated(CELLS.replace("<!-- cells: ", "<!-- cells: no_such_cell ", 1))


@pytest.mark.parametrize("name", make_tables.bundled_cells())
def test_the_text_of_a_cell_shows_what_its_class_says(name: str) -> None:
    cls = plugins.cells.get(name)
    tree = ast.parse(Path(inspect.getfile(cls)).read_text(encoding="utf-8"))
    about = dict(plugins.about_cells(tree))[name]
    methods = {"native": "native_loop", "keras": "keras_layer", "parallel": "scan"}
    assert about["engines"] == ", ".join(["loop", *(e for e, method in methods.items() if cls.has_own(method))])
    assert about["states"] == ", ".join(cls.states)
    inputs = ["x", *(["time_gaps"] if cls.uses_gaps else []), *(["observed"] if cls.uses_observed else [])]
    assert about["inputs"] == ", ".join(inputs)
    assert (about["params"], about["year"], about["paper"]) == (cls.params, cls.year, cls.paper)


def test_numbers_and_lists_of_cells_are_true() -> None:
    cells = make_tables.bundled_cells()
    number = re.compile(r"(\d+) (?:recurrent )?cells\b")
    for file in make_tables.COUNTED:
        assert set(number.findall((make_tables.DOCS / file).read_text(encoding="utf-8"))) == {str(len(cells))}
    for engine in ("native", "keras"):
        (row,) = re.findall(rf"^\| `{engine}` \| (.*) \|$", ENGINES, re.M)
        named = set(re.findall(r"`(\w+)`", row))
        assert named == {name for name, entry in cells.items() if engine in entry.about["engines"].split(", ")}


EXAMPLES = [path for path in sorted((ROOT / "seqtasks").rglob("*.py")) if ">>> " in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_examples_of_docstrings_run(path):
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    result = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert result.attempted and not result.failed


def test_the_citation_names_this_version() -> None:
    text = (ROOT / "docs" / "sharing.md").read_text(encoding="utf-8")
    assert f"version = {{{version.__version__}}}" in text


def test_the_page_of_a_cell_has_its_row_of_the_atlas() -> None:
    import atlas_tables  # found beside make_tables

    points = [(row["cell"], row["probe"], row["seed"]) for row in atlas_tables.rows("atlas.csv")]
    assert len(points) == len(set(points)) > 0, "a run is twice in docs/atlas.csv"
    assert {point[0] for point in points} <= set(make_tables.bundled_cells())
    assert {point[1] for point in points} <= set(atlas_tables.probes())
    row = next(row for row in atlas_tables.rows("atlas.csv") if row["seed"] == "0")
    text = "\n".join(atlas_tables.of_cell(row["cell"]))
    assert f"{100 * float(row['score_trained']):.1f}" in text and "What theory says" in text
    assert set(atlas_tables.THEORY) <= set(atlas_tables.families())


def test_the_atlas_trains_named_cells_first() -> None:
    import atlas_tables

    points = atlas_tables.command().points(["rhn", "gru", "lstm"], ["a", "b"], 2)
    first = [("lstm", "a", 0), ("lstm", "b", 0), ("gru", "a", 0), ("gru", "b", 0), ("rhn", "a", 0), ("rhn", "b", 0)]
    assert points == [*first, *((cell, probe, 1) for cell, probe, _ in first[:4])]
