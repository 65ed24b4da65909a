"""Rewrites the parts of cells/index.md and tasks/index.md that follow from the registries, and stored tables.

    python docs/make_tables.py

configs/schemas/ has the JSON Schema of each task's configuration, as `seqtasks schema TASK` prints it, and
seqtasks/cli/templates/completion.json the commands and names that a shell completes. A generated part of a document
stands between two comments; the first one says what it holds:

    <!-- cells: gru lstm -->          rows of these cells, in this order
    <!-- topologies -->              rows of all tasks; the last columns, command and what was reached, are kept
    <!-- atlas: matrix -->            a table of docs/atlas.csv, see atlas_tables.py
    <!-- papers: parity -->           a table of docs/papers.csv, see paper_tables.py
    <!-- end -->

The number of cells is written into the documents of `COUNTED`, where it stands before "cells" or "recurrent cells".
Facts come from the registries, which read them from source text. Only schemas need Keras.
Measured numbers are never touched but those of docs/atlas.md and docs/benchmarks/papers.md, which come from CSV files.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import typer

from seqtasks.cli import completion, completion_values, schema_command
from seqtasks.cli.main import app
from seqtasks.core import plugins
from seqtasks.core.registry import Entry, Registry

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS))  # for the modules of tables
SCHEMAS = DOCS.parent / "configs" / "schemas"
FILES = ("cells/index.md", "tasks/index.md", "atlas.md", "benchmarks/papers.md")
PART = re.compile(r"(<!-- (cells:|topologies|atlas:|papers:)(.*?)-->\n)(.*?)(<!-- end -->)", re.S)
COUNTED = ("../README.md", "index.md", "faq.md", "cells/index.md")
COUNT = re.compile(r"\d+(?= (?:recurrent )?cells\b)")
ORDER = ("one-to-one", "one-to-many", "many-to-one", "many-to-many", "synced")  # as in topologies.svg


def generated(text: str) -> str:
    """The text of a document with its generated parts made anew.

    Args:
        text: of the document as it is.

    Raises:
        KeyError: a part names a cell that is not bundled.
    """

    def part(found: re.Match[str]) -> str:
        begin, kind, names, old, end = found.groups()
        if kind == "atlas:":
            import atlas_tables

            tables = {"status": atlas_tables.status, "matrix": atlas_tables.matrix, "costs": atlas_tables.costs}
            return begin + tables[names.strip()]() + end
        if kind == "papers:":
            import paper_tables

            return begin + paper_tables.table(names.strip()) + end
        return begin + (_cells(names.split()) if kind == "cells:" else _topologies(old)) + end

    return PART.sub(part, text)


def bundled(registry: Registry[Any]) -> dict[str, Entry]:
    """The entries of a registry that come with seqtasks, by name."""
    packages = ("seqtasks.cells.", "seqtasks.tasks.")
    return {entry.name: entry for entry in registry.entries() if entry.module.startswith(packages)}


def bundled_cells() -> dict[str, Entry]:
    """The entries of the cells that come with seqtasks, by name."""
    return bundled(plugins.cells)


def listed_cells(text: str) -> list[str]:
    """The names in the `cells:` comments of a document."""
    return [name for _, kind, names, _, _ in PART.findall(text) if kind == "cells:" for name in names.split()]


def _cells(names: list[str]) -> str:
    entries = bundled_cells()
    rows = [
        f"| `{name}` | {about['summary']} | {about['states']} | `{about['params']}` | {about['engines']} "
        f"| [{about['year']}]({about['paper']}) |"
        for name in names
        for about in [entries[name].about]
    ]
    return _table("cell | what it is | states | parameters | engines | source", rows)


def _topologies(old: str) -> str:
    kept = {}
    for line in old.splitlines():
        if found := re.match(r"\| [a-z-]+ \| `(\w+)` \|", line):
            kept[found[1]] = " | ".join(cell.strip() for cell in line.strip("| ").split(" | ")[-2:])
    entries = list(bundled(plugins.tasks).values())
    before = {name: place for place, name in enumerate(kept)}
    entries.sort(key=lambda e: (ORDER.index(e.about["topology"]), before.get(e.name, len(before)), e.name))
    rows = [
        f"| {entry.about['topology']} | `{entry.name}` | {kept.get(entry.name, f'`seqtasks run {entry.name}` | –')} |"
        for entry in entries
    ]
    return _table("topology | task | command | test result", rows)


def _table(header: str, rows: list[str]) -> str:
    rule = " | ".join([":--"] * len(header.split(" | ")))
    return "\n".join([f"| {header} |", f"| {rule} |", *rows, ""])


def schemas() -> dict[str, str]:
    """The text of each file of configs/schemas/, by its name."""
    names = {"base.json": None, **{f"{name}.json": name for name in bundled(plugins.tasks)}}
    return {file: schema_command.text_of(name) for file, name in names.items()}


def completions() -> str:
    """The text of completion.json."""
    group: Any = typer.main.get_command(app)
    # From the text, as the summary of an imported task is that of its class.
    tasks = {name: plugins._about_task(Path(entry.about["file"])) for name, entry in bundled(plugins.tasks).items()}
    cells = {name: entry.about for name, entry in bundled_cells().items()}
    summaries = ({name: str(about["summary"]) for name, about in facts.items()} for facts in (tasks, cells))
    return completion.table(group.commands, *summaries)


def main() -> int:
    """Rewrites the files; returns 1 if a bundled cell is in no section of cells/index.md or in two."""
    for file in FILES:
        path = DOCS / file
        text = path.read_text(encoding="utf-8")
        path.write_text(generated(text), encoding="utf-8")
    for file in COUNTED:
        path = DOCS / file
        text = path.read_text(encoding="utf-8")
        path.write_text(COUNT.sub(str(len(bundled_cells())), text), encoding="utf-8")
    completion_values.TABLE.write_text(completions(), encoding="utf-8")
    texts = schemas()
    SCHEMAS.mkdir(exist_ok=True)
    for path in SCHEMAS.iterdir():
        if path.name not in texts:
            path.unlink()
    for name, text in texts.items():
        (SCHEMAS / name).write_text(text, encoding="utf-8")
    listed = listed_cells((DOCS / "cells" / "index.md").read_text(encoding="utf-8"))
    wrong = sorted(name for name in bundled_cells() if listed.count(name) != 1)
    if wrong:
        print(f"docs/cells/index.md has to name each cell once, in one `<!-- cells: … -->`; see {', '.join(wrong)}")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
