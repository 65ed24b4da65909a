"""`seqtasks list` and `seqtasks show`. `list` does not import Keras."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from seqtasks.cli.console import plain, print_columns, print_table
from seqtasks.cli.latex import plain_equations
from seqtasks.core import keras_import, plugins
from seqtasks.core.config_files import bundled, command_line
from seqtasks.core.declared_cell import DeclaredCell, cell_of
from seqtasks.core.declared_task import DeclaredTask
from seqtasks.core.environment import native_kernel
from seqtasks.core.registry import Registry
from seqtasks.core.settings import table_rows
from seqtasks.data import package_data, survey
from seqtasks.data.resolve import source_forms
from seqtasks.experiments import run_list

if TYPE_CHECKING:
    from seqtasks.core.config import Config
    from seqtasks.training.resolution import Resolved

_INPUTS = {
    "texts": "texts, each as one argument, or the lines of --file",
    "prompt": "a prompt: --prompt TEXT, or the text of --file",
    "paths": "paths of files",
    "words": "words",
}
_ENGINES = ["native", "keras", "loop", "parallel"]
_console = Console(highlight=False, soft_wrap=True)


def print_lists(what: str, runs_dir: Path) -> None:
    """Prints tables of registered names.

    Args:
        what: "tasks", "cells", "runs", "configs", "trackers", or "all" for the first three.
        runs_dir: Folder of all runs.
    """
    if what in ("all", "tasks"):
        _print_registry(plugins.tasks, ["topology", "summary"], "tasks")
    if what in ("all", "cells"):
        _print_registry(plugins.cells, ["states", "params", "engines", "year", "paper"], "cells")
        _console.print(
            "params: number of parameters, with m features, n units and options of the cell; `seqtasks show cell NAME` "
            "prints its equations\n"
        )
    if what == "configs":
        _print_configs()
    if what == "trackers":
        _print_registry(plugins.trackers, ["summary"], "trackers, for train.trackers=[NAME]")
    if what in ("all", "runs"):
        _print_runs(runs_dir)


def print_task(task: DeclaredTask, config: Config) -> None:
    """Prints the description of a task, and the value, type and meaning of every setting."""
    _console.print(f"{task.name} ({task.topology}, version {task.version})", style="bold", markup=False)
    _console.print(task.about, markup=False)
    arrow = "higher" if task.higher_is_better else "lower"
    _console.print(f"\nmetric: {task.metric} ({arrow} is better)", markup=False)
    _console.print(f"data sources: auto, {', '.join(source_forms(task))}", markup=False)
    for package, patterns in task.packages.items():
        _console.print(f"  {package}: {package_data.summary(package, patterns)}", markup=False)
    for title, part, prefix in (
        ("options of the task", config.options, "options."),
        ("data", config.data, "data."),
        ("encoder", config.encoder, "encoder."),
        ("training", config.train, "train."),
    ):
        if dataclasses.fields(part):
            _console.print(f"\n{title}", style="bold")
            _print_settings(part, prefix)
    tokenised = f"; or the words of --file with the suffix {', '.join(task.fills)}" if task.fills else ""
    _console.print(f"\ninputs of seqtasks predict: {_INPUTS[task.reads]}{tokenised}", markup=False)
    if dataclasses.fields(task.PredictOptions):
        _console.print("\noptions of seqtasks predict", style="bold")
        _print_settings(task.PredictOptions(), "--")


def print_cell(text: str) -> None:
    """Prints a cell: equations, states, parameters, engines, paper, options, an example.

    Args:
        text: Name of the cell, its file, or `FILE.py:NAME`.

    Raises:
        UnknownNameError: There is no such cell or file.
        PluginError: The file cannot be imported.
    """
    cell = cell_of(text) or _imported_cell(text)
    title, _, description = plain_equations(cell.about).partition("\n")
    _console.print(f"{cell.name}: {title}", style="bold", markup=False)
    _console.print(description.rstrip(), markup=False)
    table = plain("property", "value")
    facts = cell.facts
    params, year = facts.get("params"), facts.get("year")
    table.add_row("inputs", facts["inputs"])
    table.add_row("states", facts["states"])
    table.add_row("parameters", f"{params}, with m features and n units" if params else "no formula")
    usable = set(facts["engines"].split(", ")) - (set() if native_kernel() else {"native"})
    table.add_row("engines", ", ".join(sorted(usable, key=_ENGINES.index)))
    table.add_row("paper", f"{facts['paper']} ({year})" if year else facts["paper"])
    table.add_row("file", str(cell.file))
    print()
    print_table(table)
    options = plain("option", "default")
    for option, default in cell.options.items():
        options.add_row(f"encoder.options.{option}", str(default))
    print()
    print_table(options)
    _console.print(f"\nseqtasks run TASK encoder.cell={text} encoder.units=64", markup=False)
    if text != cell.name:
        return
    _console.print(
        f"outputs, states = seqtasks.layers.Recurrent(seqtasks.cells.make_cell({cell.name!r}, 64))(x, mask=mask)  # x: "
        "(batch, time, features)",
        markup=False,
    )


def _imported_cell(text: str) -> DeclaredCell:
    """The description of a cell that has to be imported, as its text does not show all of it."""
    keras_import.import_keras()
    from seqtasks.cells.base import cell_options

    cls = plugins.load_cell(text)
    facts = next(entry.about for entry in plugins.cells.entries() if entry.name == cls.cell_name)
    about, file = inspect.cleandoc(cls.__doc__ or ""), Path(inspect.getfile(cls))
    return DeclaredCell(cls.cell_name, about, facts, cell_options(cls), file)


def print_data(lines: Sequence[str]) -> None:
    """Prints the lines of `data_lines`."""
    _console.print("\nloaded data", style="bold")
    for line in lines:
        _console.print(line, markup=False)


def data_lines(resolved: Resolved, batches: Any) -> list[str]:
    """Source, sizes and anomalies of the data, and the padding of training batches.

    Args:
        resolved: The task and its loaded data.
        batches: Training batches; one with an attribute `padding` gets a line.
    """
    splits, task = resolved.splits, resolved.task
    lines = [survey.summary(task.survey(splits), task.unit), f"{splits.source}, fingerprint {splits.fingerprint}"]
    for name, part in splits.parts.items():
        shapes = ", ".join(f"{key} {_form(values)}" for key, values in part.inputs.items())
        tokens = f"{splits.spec.tokens[name]:,} tokens, " if splits.spec.tokens is not None else ""
        lines.append(f"  {name}: {tokens}{len(part):,} {task.unit}, {shapes}")
    if resolved.computed:
        lines.append(f"  training: {resolved.computed}")
    if hasattr(batches, "padding"):
        lines.append(f"  padding in training: {100 * batches.padding:.1f} % of all tokens")
    return lines


def _form(values: Any) -> str:
    """Shape and dtype of an array or similar object; length of any other sequence."""
    if hasattr(values, "shape") and hasattr(values, "dtype"):
        return f"{list(values.shape)} {values.dtype}"
    return f"[{len(values)}]"


def _print_registry(registry: Registry[Any], facts: list[str], title: str) -> None:
    table = plain("name", *facts, title=title)
    for entry in registry.entries():
        row = [str(entry.about.get(fact) or "") for fact in facts]
        # The facts of a plugin of another package are not known before it is imported: show only its summary.
        row[-1] = row[-1] or str(entry.about.get("summary") or "")
        table.add_row(entry.name, *row)
    print_table(table)
    print()


def _print_configs() -> None:
    table = plain("name", "first comment of the file", title="bundled configurations, for --config NAME")
    for name, path in bundled().items():
        table.add_row(name, command_line(path))
    print_table(table)


def _print_runs(runs_dir: Path) -> None:
    runs = run_list.list_runs(runs_dir)
    if not runs:
        _console.print(f"runs: none in {runs_dir}; train one with `seqtasks run TASK`", markup=False)
        return
    print_columns("runs", ["run", "data", "status"], [(run.path, run.source, run.status) for run in runs])


def _print_settings(settings: Any, prefix: str) -> None:
    table = plain("setting", "default", "type", "meaning")
    for name, *columns in table_rows(settings):
        table.add_row(f"{prefix}{name}", *columns)
    print_table(table)
