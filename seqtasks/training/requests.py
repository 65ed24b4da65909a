"""Requests of the command line and `seqtasks.run`: checks, configuration, training."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqtasks.core import config as configuration
from seqtasks.core import config_files, keras_import, layer_values, plugins
from seqtasks.core.declared_cell import cell_of, check_options
from seqtasks.core.errors import UnknownNameError
from seqtasks.core.reporter import Reporter
from seqtasks.data.resolve import check_source
from seqtasks.data.tables import check_columns
from seqtasks.experiments import results, run_folder
from seqtasks.training import known_runs, processes, tracker, tracking

if TYPE_CHECKING:
    from seqtasks.core.config import Config, EncoderConfig
    from seqtasks.core.declared_task import DeclaredTask
    from seqtasks.task_types.base import Task
    from seqtasks.training.resolution import Plan


@dataclasses.dataclass(frozen=True)
class Checked:
    """A request whose words are right, as far as that shows without Keras and data.

    Attributes:
        name: Name of the task.
        task_file: For a task file, the path of its YAML file.
        config: The configuration; without the options of a task of which little is known before it is imported.
        declared: What the task declares; None if that is not known before it is imported.
    """

    name: str
    task_file: Path | None
    config: Config
    declared: DeclaredTask | None


def check(task: str, overrides: Sequence[str], config_file: str | None) -> Checked:
    """Checks a request without importing Keras.

    Args:
        task: Name or file of the task.
        overrides: Settings as `key=value`.
        config_file: YAML file of settings, or the name of a bundled one.

    Raises:
        SeqtasksError: Unknown task, cell, setting, data source or column.
    """
    task = plugins.task_name(task)
    from_file = plugins.check_task(task)
    name, task_file = (Path(task).stem, Path(task).with_suffix(".yaml")) if from_file else (task, None)
    facts, declared = plugins.declared(task), plugins.declared_task(task)
    options = None if declared is None else declared.Options
    names = facts.get("options")
    config = configuration.resolve(name, options, overrides, config_file, task_file, option_names=names)
    configuration.check_texts(config)
    _check_cells(config.encoder, from_file)
    if config.train.trackers:
        tracker.check(config.train.trackers)
    if config.data.source != "auto" or not (facts.get("tfds", True) or facts.get("builtin", True)):
        check_source(config.data.source, facts)
        if options is not None and config.data.source.startswith("files:"):
            _check_columns(config)
    return Checked(name, task_file, config, declared)


def _check_columns(config: Config) -> None:
    """Checks the options that name columns against the header of the training table.

    Raises:
        DataError: It lacks a column.
    """
    columns = {}
    for field in dataclasses.fields(config.options):
        value = getattr(config.options, field.name) if field.metadata.get("column") else None
        names = [value] if isinstance(value, str) else list(value or ())
        columns[f"options.{field.name}"] = [name for name in names if name != "-"]
    check_columns(Path(config.data.source.removeprefix("files:")).expanduser(), columns)


def _check_cells(encoder: EncoderConfig, from_file: bool) -> None:
    """Checks `encoder.cell` and `encoder.match`.

    Args:
        encoder: Settings of the encoder.
        from_file: Whether the task is a file, which may register cells that are not known yet.

    Raises:
        UnknownNameError: Unknown cell.
        ConfigError: The cell has no such option.
    """
    names = [] if encoder.match is None else [configuration.parse_match(encoder.match)[0]]
    file = plugins.cell_file(encoder.cell)
    if file is None:
        names[:0] = dict.fromkeys(encoder.cells)
    else:
        cell_of_file = plugins.cell_in_file(*file)
        names = [name for name in names if name != cell_of_file]
    for name in names:
        if name not in plugins.cells and not from_file:
            hint = plugins.cells.suggest(name)
            hint = "allowed in `seqtasks compare` only; name one cell" if name == "all" else hint
            hint = "encoder.match takes the name of a cell, not its file" if plugins.cell_file(name) else hint
            raise UnknownNameError(f"unknown cell {name!r}; {hint}")
    of_layers = dict.fromkeys(encoder.cells) if encoder.options else {}
    known = [cell for name in of_layers if (cell := cell_of(name)) is not None]
    if known and len(known) == len(of_layers):
        allowed = {key: value for cell in known for key, value in cell.options.items()}
        check_options(encoder.cell if len(known) > 1 else known[0].name, encoder.options, allowed)


def prepare(task: str, overrides: Sequence[str], config_file: str | None) -> tuple[type[Task], Config, Plan]:
    """Loads the task of a request and builds its configuration.

    The quick checks of `check` come before the slow import of Keras.

    Args:
        task: Name or file of the task.
        overrides: Settings as `key=value`.
        config_file: YAML file of settings, or the name of a bundled one.

    Returns:
        The task class; the configuration as far as it is known without the data; and a function that returns
        the configuration for a data source and a number of training examples.

    Raises:
        SeqtasksError: Unknown task, cell or setting, or a plugin that cannot be imported.
    """
    checked = check(task, overrides, config_file)
    task_file = checked.task_file
    keras_import.import_keras()
    cls = plugins.load_task(task)
    if (
        task_file is None and checked.name not in config_files.bundled()
    ):  # a plugin package has its YAML beside its module
        task_file = Path(str(sys.modules[cls.__module__].__file__)).with_suffix(".yaml")
    cells: dict[str, str] = {}  # name or file of a cell, to the name that it registers

    def plan(**data: Any) -> Config:
        config = configuration.resolve(cls.name, cls.Options, overrides, config_file, task_file, **data)
        configuration.check_texts(config)
        names = layer_values.names(config.encoder.cell)
        for cell in names:
            if cell not in cells:
                cells[cell] = plugins.load_cell(cell).cell_name
        loaded = layer_values.SIGN.join(cells[cell] for cell in names)
        return dataclasses.replace(config, encoder=dataclasses.replace(config.encoder, cell=loaded))

    return cls, plan(), plan


def train(
    task: str,
    overrides: Sequence[str],
    config_file: str | None,
    runs: Path,
    reporter: Reporter,
    *,
    force: bool = False,
    baselines: bool = True,
    trial: bool = False,
    verify: bool = False,
) -> tuple[results.Row, bool]:
    """Trains and scores a task, continues an interrupted run, or loads a finished one.

    The result of a repeated command is loaded without importing Keras.

    Args:
        task: Name or file of the task.
        overrides: Settings as `key=value`.
        config_file: YAML file of settings, or the name of a bundled one.
        runs: Folder of all runs.
        reporter: Prints progress.
        force: Train again even if the run is finished.
        baselines: Also fit the task's baselines that take only seconds.
        trial: Do not score the test split, see `train.run_resolved`.
        verify: Read the data of a finished run again, in place of comparing size and time of change of its files.

    Returns:
        The result row, and whether the run was finished before.

    Raises:
        SeqtasksError: Wrong settings, missing data, a folder that cannot be written, or an interruption.
    """
    task = plugins.task_name(task)
    checked = check(task, overrides, config_file)
    typed = checked.config
    request = digest(task, overrides, config_file, checked)
    if request is not None and not (force or verify):
        row = known_runs.recall(runs, request, typed.data.tfds_dir)
        if row is not None and (row.kind == "trial") == trial:
            if typed.train.trackers:
                folder = run_folder.open_run(runs / row.run)
                row = tracking.send_finished(folder, row, typed.train.trackers, reporter)
            return row, True
    words = processes.command_words(
        "run", task, *overrides, runs=runs, config=config_file, force=force, trial=trial, quiet=reporter.quiet
    )
    outcome = processes.start(typed.train.processes, words)
    if outcome is not None and not baselines:
        return outcome
    reporter = Reporter(quiet=True) if processes.is_follower() else reporter
    cls, config, plan = prepare(task, overrides, config_file)
    from seqtasks.training import baselines as fitted
    from seqtasks.training import drawing, resolution
    from seqtasks.training import train as training

    if outcome is None:
        training.check(config, cls)
    resolved = resolution.resolve(config, cls, reporter, plan)
    row, skipped = outcome or training.run_resolved(resolved, runs, reporter, force, trial=trial)
    if baselines:
        fitted.quick_baselines(resolved, runs, reporter)
        if not skipped:
            drawing.redraw_curves(row, runs)
    if request is not None:
        default = next(iter(cls.tfds_names()), None)
        known_runs.remember(runs / row.run, request, resolved.source, typed.data.source, default)
    return row, skipped


def resume(folder: run_folder.Run, reporter: Reporter, trust: bool = False) -> tuple[results.Row, bool]:
    """Continues a run from its last checkpoint, in as many processes as it was begun with.

    Args:
        folder: The run.
        reporter: Prints progress.
        trust: Run the Python code that is stored in the run folder.

    Returns:
        The result row, and whether the run was finished before.

    Raises:
        RunError: The data changed, or the folder was renamed.
    """
    count = 1
    if not folder.finished:
        values = folder.config_values()["train"]
        count = int(values.get("processes", 1)) if isinstance(values, dict) else 1
    words = processes.command_words(
        "resume", str(folder.path), runs=folder.path.parent, quiet=reporter.quiet, trust=trust
    )
    outcome = processes.start(count, words)
    if outcome is not None:
        return outcome
    reporter = Reporter(quiet=True) if processes.is_follower() else reporter
    keras_import.import_keras()
    from seqtasks.training import inference

    return inference.resume(folder, reporter, trust)


def recall(task: str, overrides: Sequence[str], config_file: str | None, runs: Path) -> results.Row | None:
    """Loads the row of the finished run of a request without Keras and its data; None if that is not possible.

    Args:
        task: Name or file of the task.
        overrides: Settings as `key=value`.
        config_file: YAML file of settings, or the name of a bundled one.
        runs: Folder of all runs.

    Raises:
        SeqtasksError: Wrong settings.
    """
    checked = check(task, overrides, config_file)
    request = digest(task, overrides, config_file, checked)
    return None if request is None else known_runs.recall(runs, request, checked.config.data.tfds_dir)


def digest(task: str, overrides: Sequence[str], config_file: str | None, checked: Checked) -> str | None:
    """The digest of a request, see `known_runs.request_of`; `checked` is what `check` returned for it."""
    cell = plugins.cell_file(checked.config.encoder.cell)
    return known_runs.request_of(plugins.task_name(task), overrides, config_file, checked.task_file, cell and cell[0])
