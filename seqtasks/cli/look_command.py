"""`seqtasks look`: prints the units, gates and gradients of runs, and the files that were written."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seqtasks.cli.console import print_rows
from seqtasks.cli.predict_command import readable, utf8
from seqtasks.core import keras_import
from seqtasks.core.errors import ConfigError
from seqtasks.core.files import shown, usable
from seqtasks.core.reporter import Reporter
from seqtasks.experiments import run_folder


def main(
    names: Sequence[str],
    runs: Path,
    gradients: bool,
    out: str | None,
    format: str,
    *,
    quiet: bool,
    trust: bool,
    inputs: Sequence[str],
    file: str | None,
    layer: int | None,
    unit: str | None,
    top: int,
    example: int,
    steps: int,
) -> None:
    """Looks into runs and prints tables and the paths of the written files.

    Args:
        names: Run folders, or their names.
        runs: Folder of all runs.
        gradients: Whether to look at gradients over time instead of states.
        out: Folder to write to; None: `look` in the first run folder.
        format: "text", "csv" or "json".
        quiet: Print no progress.
        trust: Run the Python code that is stored in the run folders.
        inputs: Texts or paths to read instead of the test split.
        file: Text file to read instead.
        layer: Number of the layer.
        unit: Unit to show.
        top: Number of units to list.
        example: Number of the sequence to draw.
        steps: Maximum number of steps.

    Raises:
        SeqtasksError: A run that cannot be used, options that exclude each other, or inputs that cannot be read.
    """
    folders = [run_folder.with_model(run_folder.find(name, runs)) for name in dict.fromkeys(names)]
    if gradients and (inputs or file or unit):
        raise ConfigError(
            "--gradients is given with --input, --file or --unit; allowed: one of the two views; leave out "
            "--gradients, or the others"
        )
    if len(folders) > 1 and not gradients:
        raise ConfigError(
            f"got {len(folders)} runs; allowed: one run, or several with --gradients; look at each run separately"
        )
    if inputs and file is not None:
        raise ConfigError(f"got both --input and --file {shown(file)}; allowed: one of them; remove one")
    folder = check_folder(out, folders[0].path / "look")
    keras_import.import_keras()
    reporter = Reporter(quiet)
    if gradients:
        from seqtasks.views.gradients import look_at_gradients

        result = look_at_gradients(folders, folder, reporter, steps, layer, trust)
    else:
        from seqtasks.training.saved_model import task_of
        from seqtasks.views.look import LookOptions, look

        reads, _ = task_of(folders[0], trust)
        options = LookOptions(_inputs(reads, inputs, file), layer, unit, top, example, steps)
        result = look(folders[0], options, folder, reporter, trust)
    if format == "text" and result.text is not None and sys.stdout.isatty():
        from rich.console import Console

        Console(highlight=False).print(result.text)
        print()
    for note in result.notes:
        print(note, file=sys.stderr)
    for number, rows in enumerate(table for table in (result.rows, result.gates) if table):
        if format == "text" and number:
            print()
        if format == "text" or not number:  # other formats have one table
            print_rows(rows, format)
    for path in result.files:
        reporter.say(f"→ {shown(path)}")


def check_folder(name: str | None, default: Path) -> Path:
    """Checks that the output folder can be made.

    Args:
        name: Folder that the user named; None: the default.
        default: Default folder.

    Raises:
        ConfigError: The name is that of a file, or its parent does not exist.
    """
    path = default if name is None else usable(name, "--out")
    if path.exists() and not path.is_dir():
        raise ConfigError(f"--out {shown(path)} is a file; allowed: a folder; name another one")
    if not path.absolute().parent.is_dir():
        raise ConfigError(
            f"--out {shown(path)}: there is no folder {shown(path.parent)}; create it or name another folder"
        )
    return path


def _inputs(task: Any, inputs: Sequence[str], file: str | None) -> list[str]:
    """Inputs of the user: language models and tasks of texts read the text of a file, or its lines.

    Raises:
        ConfigError: `--file` for a task that reads no texts.
        DataError: The file cannot be read.
    """
    from seqtasks.data.text.reader import Text, read_lines

    if file is None:
        return [utf8(text) for text in inputs] if task.reads in ("texts", "prompt") else list(inputs)
    if task.reads not in ("texts", "prompt"):
        raise ConfigError(
            f"--file {shown(file)}: task {task.name} does not read texts; allowed: --input PATH; write --input "
            f"{shown(file)}"
        )
    path = readable(file)
    return ["".join(Text([path]).pieces())] if task.reads == "prompt" else [line for line in read_lines(path) if line]
