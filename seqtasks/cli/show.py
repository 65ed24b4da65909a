"""`seqtasks list` and `seqtasks show`. `list` does not import Keras."""

from __future__ import annotations

import dataclasses
import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from seqtasks.cli.console import plain, print_columns, print_table
from seqtasks.cli.latex import plain_equations
from seqtasks.core import plugins
from seqtasks.core.config_files import bundled, command_line
from seqtasks.core.registry import Registry
from seqtasks.core.settings import table_rows
from seqtasks.data import package_data, survey
from seqtasks.experiments import run_list

if TYPE_CHECKING:
    from seqtasks.core.config import Config
    from seqtasks.task_types.base import Task
    from seqtasks.training.resolution import Resolved

_INPUTS = {
    "texts": "texts, each as one argument, or the lines of --file",
    "prompt": "a prompt: --prompt TEXT, or the text of --file",
    "paths": "paths of files",
    "words": "words",
}
_console = Console(highlight=False, soft_wrap=True)


def print_lists(what: str, runs_dir: Path) -> None:
    """Prints tables of registered names.

    Args:
        what: "tasks", "cells", "runs", "configs", or "all" for the first three.
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
    if what in ("all", "runs"):
        _print_runs(runs_dir)


def print_task(cls: type[Task], config: Config) -> None:
    """Prints the description of a task, and the default, type and meaning of every setting."""
    module = inspect.getmodule(cls)
    _console.print(f"{cls.name} ({cls.topology}, version {cls.version})", style="bold", markup=False)
    _console.print(inspect.cleandoc((module.__doc__ if module else None) or cls.__doc__ or ""), markup=False)
    arrow = "higher" if cls.higher_is_better else "lower"
    _console.print(f"\nmetric: {cls.metric} ({arrow} is better)", markup=False)
    _console.print(f"data sources: auto, {', '.join(cls.sources())}", markup=False)
    for package, patterns in cls.packages.items():
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
    tokenised = f"; or the words of --file with the suffix {', '.join(cls.fills)}" if cls.fills else ""
    _console.print(f"\ninputs of seqtasks predict: {_INPUTS[cls.reads]}{tokenised}", markup=False)
    if dataclasses.fields(cls.PredictOptions):
        _console.print("\noptions of seqtasks predict", style="bold")
        _print_settings(cls.PredictOptions(), "--")


def print_cell(text: str) -> None:
    """Prints a cell: equations, states, parameters, engines, paper, options, an example.

    Args:
        text: Name of the cell, its file, or `FILE.py:NAME`.

    Raises:
        UnknownNameError: There is no such cell or file.
        PluginError: The file cannot be imported.
    """
    from seqtasks import engines
    from seqtasks.cells.base import cell_options
    from seqtasks.cells.registration import make_cell

    cls = plugins.load_cell(text)
    name = cls.cell_name
    title, _, description = plain_equations(inspect.cleandoc(cls.__doc__ or "")).partition("\n")
    _console.print(f"{name}: {title}", style="bold", markup=False)
    _console.print(description.rstrip(), markup=False)
    table = plain("property", "value")
    table.add_row("inputs", next(entry.about["inputs"] for entry in plugins.cells.entries() if entry.name == name))
    table.add_row("states", ", ".join(cls.states))
    table.add_row("parameters", f"{cls.params}, with m features and n units" if cls.params else "no formula")
    table.add_row("engines", ", ".join(engines.available(make_cell(name, 1))))
    table.add_row("paper", f"{cls.paper} ({cls.year})" if cls.year else cls.paper)
    table.add_row("file", str(inspect.getfile(cls)))
    print()
    print_table(table)
    options = plain("option", "default")
    for option, default in cell_options(cls).items():
        options.add_row(f"encoder.options.{option}", str(default))
    print()
    print_table(options)
    _console.print(f"\nseqtasks run TASK encoder.cell={text} encoder.units=64", markup=False)
    if text != name:
        return
    _console.print(
        f"outputs, states = seqtasks.layers.Recurrent(seqtasks.cells.make_cell({name!r}, 64))(x, mask=mask)  # x: "
        "(batch, time, features)",
        markup=False,
    )


def print_data(resolved: Resolved, batches: Any) -> None:
    """Prints source, sizes and anomalies of the data, and the padding of training batches.

    Args:
        resolved: The task and its loaded data.
        batches: Training batches; one with an attribute `padding` gets a line.
    """
    splits, task = resolved.splits, resolved.task
    _console.print("\nloaded data", style="bold")
    _console.print(survey.summary(task.survey(splits), task.unit), markup=False)
    _console.print(f"{splits.source}, fingerprint {splits.fingerprint}", markup=False)
    for name, part in splits.parts.items():
        shapes = ", ".join(f"{key} {_form(values)}" for key, values in part.inputs.items())
        tokens = f"{splits.spec.tokens[name]:,} tokens, " if splits.spec.tokens is not None else ""
        _console.print(f"  {name}: {tokens}{len(part):,} {task.unit}, {shapes}", markup=False)
    if resolved.computed:
        _console.print(f"  training: {resolved.computed}", markup=False)
    if hasattr(batches, "padding"):
        _console.print(f"  padding in training: {100 * batches.padding:.1f} % of all tokens", markup=False)


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
