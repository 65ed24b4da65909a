"""Writes the pages of the site that follow from the code: cells, settings, commands and the Python interface.

    python docs/make_pages.py

`docs/conf.py` calls it at the start of each build. The pages are not kept in the repository:

    cells/pages/NAME.md            one page for each bundled cell
    reference/settings/TASK.md     every setting of a task with type, default and meaning
    reference/commands.md          the help text of every command
    reference/api/MODULE.md        the public names of a module
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import atlas_tables
import typer
from make_tables import bundled
from typer.testing import CliRunner

import seqtasks
from seqtasks.cli.main import app
from seqtasks.core import config, plugins, settings

DOCS = Path(__file__).resolve().parent
MODULES = ("layers", "cells", "losses", "metrics", "decoding", "task_types", "testing")
TOPICS = (
    "MNIST, row by row",
    "The adding problem and copying from memory",
    "Sines sampled at irregular times",
)  # sections of cells/index.md with results


def cell_page(entry: Any, measured: list[str]) -> str:
    """The page of a cell: its docstring with equations, facts of the registry, and measured rows."""
    cls, about = plugins.cells.get(entry.name), entry.about
    facts = [
        ("name", f"`encoder.cell={entry.name}`"),
        ("inputs", ", ".join(f"`{name}`" for name in about["inputs"].split(", "))),
        ("states", about["states"]),
        ("parameters", f"`{about['params']}`, with m features and n units"),
        ("engines", about["engines"]),
        ("paper", f"[{about['year']}]({about['paper']})"),
    ]
    lines = [f"# `{entry.name}`", "", about["summary"] + ".", "", "| | |", "| :-- | :-- |"]
    lines += [f"| {name} | {value} |" for name, value in facts]
    lines += ["", "```{eval-rst}", f".. autoclass:: {cls.__module__}.{cls.__name__}", "   :noindex:", "```", ""]
    if measured:
        lines += ["## Measured", "", *measured, "", "How these were measured: [all cells](../index.md).", ""]
    lines += ["## What it learns", "", *atlas_tables.of_cell(entry.name)]
    other = "gru" if entry.name == "lstm" else "lstm"
    lines += ["## Use", "", "```bash", f"seqtasks show cell {entry.name}"]
    lines += [f"seqtasks compare mnist_rows encoder.cell={entry.name},{other} encoder.match=lstm:64", "```", ""]
    return "\n".join(lines)


def measured_rows(text: str) -> dict[str, list[str]]:
    """For each cell the rows of the measured tables of cells/index.md, each under its header."""
    rows: dict[str, list[str]] = {}
    title, header = "", ""
    for line in text.splitlines():
        if line.startswith("## "):
            title, header = line[3:], ""
        elif line.startswith("|") and title in TOPICS:
            if not header:
                header = line
            elif not set(line) <= set("|:- "):
                name = line.split("|")[1].strip().strip("`*")
                rule = "|" + " :-- |" * (header.count("|") - 1)
                rows.setdefault(name, []).extend([f"{title}:", "", header, rule, line, ""])
        elif not line.startswith("|"):
            header = ""
    return rows


def settings_page(entry: Any) -> str:
    """The page of the settings of a task."""
    cls = plugins.load_task(entry.name)
    made = config.resolve(entry.name, cls.Options)
    arrow = "higher" if cls.higher_is_better else "lower"
    lines = [f"# `{entry.name}`", "", f"{entry.about['summary']}.", ""]
    lines += [f"Topology {cls.topology}; metric `{cls.metric}` ({arrow} is better); "]
    lines[-1] += f"`data.source` is `auto`, {', '.join(f'`{source}`' for source in cls.sources())}."
    parts = [("Options of the task", made.options, "options."), ("Data", made.data, "data.")]
    parts += [("Encoder", made.encoder, "encoder."), ("Training", made.train, "train.")]
    parts += [("Options of `seqtasks predict`", cls.PredictOptions(), "--")]
    for title, part, prefix in parts:
        rows = list(_setting_rows(part, prefix))
        if rows:
            lines += [
                "",
                f"## {title}",
                "",
                "| setting | default | type | meaning |",
                "| :-- | :-- | :-- | :-- |",
                *rows,
            ]
    return "\n".join(lines) + "\n"


def _setting_rows(part: Any, prefix: str) -> Iterator[str]:
    for name, default, kind, help_text in settings.table_rows(part):
        shown = name.replace("_", "-") if prefix == "--" else name
        meaning = help_text.replace("|", "\\|").replace("<", "&lt;")
        yield f"| `{prefix}{shown}` | `{default}` | {kind} | {meaning} |"


def commands_page() -> str:
    """The page of the command line: what `--help` of each command prints."""
    runner = CliRunner()
    group: Any = typer.main.get_command(app)
    lines = ["# Commands", "", "The help texts of `seqtasks`, as `--help` prints them.", ""]
    for name in ["", *sorted(group.commands)]:
        words = [*name.split(), "--help"]
        text = runner.invoke(app, words, prog_name="seqtasks", env={"COLUMNS": "100", "TERM": "dumb"}).output
        plain = "\n".join(line.rstrip() for line in text.strip("\n").splitlines())
        lines += [f"## seqtasks {name}".rstrip(), "", "```text", plain, "```", ""]
    return "\n".join(lines)


def api_page(name: str, described: set[Any]) -> str:
    """The page of the public names of a module; of the package itself for an empty name.

    Args:
        name: Name of the module below seqtasks.
        described: Objects that an earlier page has; they are shown again and indexed once. Is added to.
    """
    module = importlib.import_module(f"seqtasks.{name}".rstrip("."))
    title = module.__name__
    lines = [f"# `{title}`", "", (module.__doc__ or "").strip(), "", "```{eval-rst}"]
    for public in sorted(module.__all__):
        thing = getattr(module, public)
        if not callable(thing):
            continue
        again = "   :no-index:\n" if thing in described else ""
        described.add(thing)
        if isinstance(thing, type):
            # Methods of Keras have docstrings of their own conventions: only those of this package are shown.
            methods = [
                member
                for member, value in vars(thing).items()
                if not member.startswith("_") and inspect.isroutine(value) and getattr(value, "__doc__", None)
            ]
            members = (
                f"   :members: {', '.join(sorted(methods))}\n"
                if methods and not dataclasses.is_dataclass(thing)
                else ""
            )
            lines += [f".. autoclass:: {title}.{public}", again + members]
        else:
            lines += [f".. autofunction:: {title}.{public}", again]
    return "\n".join([*lines, "```", ""])


def write_all() -> None:
    """Writes all pages anew."""
    made: dict[str, dict[str, str]] = {"cells/pages": {}, "reference/settings": {}, "reference/api": {}}
    rows = measured_rows((DOCS / "cells" / "index.md").read_text(encoding="utf-8"))
    for entry in bundled(plugins.cells).values():
        made["cells/pages"][entry.name] = cell_page(entry, rows.get(entry.name, []))
    for entry in bundled(plugins.tasks).values():
        made["reference/settings"][entry.name] = settings_page(entry)
    described: set[Any] = set()
    for module in ("", *MODULES):
        made["reference/api"][f"seqtasks.{module}".rstrip(".")] = api_page(module, described)
    for folder, pages in made.items():
        shutil.rmtree(DOCS / folder, ignore_errors=True)
        (DOCS / folder).mkdir(parents=True)
        for name, text in pages.items():
            (DOCS / folder / f"{name}.md").write_text(text, encoding="utf-8")
    (DOCS / "reference" / "commands.md").write_text(commands_page(), encoding="utf-8")


if __name__ == "__main__":
    write_all()
    print(f"seqtasks {seqtasks.__version__}: pages written to {DOCS}")
