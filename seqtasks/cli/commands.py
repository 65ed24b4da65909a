"""Bodies of the commands, one function each; Keras is imported after quick checks."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from seqtasks.cli.console import print_rows
from seqtasks.core import keras_import as quietly
from seqtasks.core import plugins
from seqtasks.core.errors import ConfigError, UnknownNameError
from seqtasks.core.files import check_output
from seqtasks.experiments import results
from seqtasks.experiments import run_folder as folders
from seqtasks.training import requests, verdict

if TYPE_CHECKING:
    from seqtasks.core.reporter import Reporter
    from seqtasks.experiments.executor import Executor

REPORT_SUFFIXES = (".html", ".htm")
PLOT_SUFFIXES = (".png", ".pdf", ".svg")


def run(
    task: str,
    overrides: Sequence[str],
    config_file: str | None,
    runs: Path,
    *,
    dry_run: bool,
    force: bool,
    quiet: bool,
    json: bool,
    trial: bool,
    verify: bool,
) -> None:
    """`seqtasks run`: trains, scores and prints the row; arguments as in `requests.train`."""
    if dry_run:
        _dry_run(task, overrides, config_file, _reporter(quiet))
        return
    # `compare` starts its runs with --json and fits the baselines once, in a process before them.
    row, skipped = requests.train(
        *(task, overrides, config_file, runs, _reporter(quiet)),
        force=force,
        baselines=not (json or trial),
        trial=trial,
        verify=verify,
    )
    _print_row(row, skipped, runs, json=json, quiet=quiet)


def _dry_run(task: str, overrides: Sequence[str], config_file: str | None, reporter: Reporter) -> None:
    """Prints the resolved configuration as YAML, and the summary of the model."""
    cls, config, plan = requests.prepare(task, overrides, config_file)
    from seqtasks.training import resolution, train
    from seqtasks.training.compiled_model import build

    train.check(config, cls)
    resolved = resolution.resolve(config, cls, reporter, plan)
    print(yaml.safe_dump(resolved.config.to_dict(), sort_keys=False).rstrip())
    model, _ = build(resolved.task, resolved.config)
    model.summary(print_fn=lambda text, **_: print(text))


def resume(name: str, runs: Path, *, quiet: bool, json: bool, trust: bool) -> None:
    """`seqtasks resume`: continues a run and prints its result row."""
    folder = folders.find(name, runs)
    row, skipped = requests.resume(folder, _reporter(quiet), trust)
    _print_row(row, skipped, folder.path.parent, json=json, quiet=quiet)


def baseline(
    task: str, overrides: Sequence[str], config_file: str | None, runs: Path, *, quiet: bool, json: bool
) -> None:
    """`seqtasks baseline`: fits the baselines that are not stored yet and prints all of them."""
    cls, config, plan = requests.prepare(task, overrides, config_file)
    from seqtasks.training.baselines import run_baselines

    rows = run_baselines(config, cls, runs, _reporter(quiet), plan)
    if not rows and not json:
        print(f"task {cls.name} has no baseline")
    for row in rows:
        print(results.to_json(row) if json else f"{row.cell}: {row.metric} {row.value:.4f} on {row.source}")


def compare(
    task: str,
    overrides: Sequence[str],
    config_file: str | None,
    runs: Path,
    executor: Executor,
    baseline: bool,
    format: str,
    report: str | None = None,
    plot: str | None = None,
) -> None:
    """`seqtasks compare`: trains a grid of runs, prints the table of their results and writes their report.

    A suite has a matrix in place of the table, and a heat map.
    """
    from seqtasks.experiments import matrix_formats, suites, table, table_formats
    from seqtasks.training import api

    suite = suites.suite_of(task)
    if suite is None and plot is not None:
        raise ConfigError(
            f"got --plot with the task {task}; allowed: with a suite, {', '.join(suites.suites())}; leave it out, or "
            "draw learning curves: seqtasks plot RUN"
        )
    path = None if report is None else check_output(report, "--report", REPORT_SUFFIXES)
    picture = None if plot is None else check_output(plot, "--plot", PLOT_SUFFIXES)
    if suite is None:
        grid = api.run_grid(task, overrides, config_file, runs, executor, baseline)
        if grid.rows:
            print(table_formats.render(table.build(grid.rows, runs_dir=runs), format))
    else:
        grid, matrix = api.run_suite(suite, overrides, config_file, runs, executor, baseline)
        if grid.rows:
            print(matrix_formats.render(matrix, format))
        if picture is not None and any(line.kind == "model" for line in matrix.lines):
            from seqtasks.task_types.common.plots import export_figure
            from seqtasks.views import heat_map

            export_figure(heat_map.draw(matrix), picture)
            print(f"heat map: {picture}", file=sys.stderr)
    if path is not None and any(row.kind == "model" for row in grid.rows):
        from seqtasks.views import report as pages

        pages.write(grid.rows, runs, path)
        print(f"report: {path}", file=sys.stderr)
    grid.check()


def table(words: Sequence[str], by: str | None, format: str, runs: Path) -> None:
    """`seqtasks table`: prints the table of finished runs.

    `words` are names of tasks, and filters `key=value`.
    """
    from seqtasks.experiments import table as tables
    from seqtasks.experiments import table_formats

    tasks, where = [word for word in words if "=" not in word], [word for word in words if "=" in word]
    keys = [key.strip() for key in by.split(",")] if by else []
    print(table_formats.render(tables.load_table(runs, tasks, keys, where), format))


def report(words: Sequence[str], out: str, runs: Path) -> None:
    """`seqtasks report`: writes an HTML page on finished runs.

    `words` are runs, tasks, and filters `key=value`.
    """
    path = check_output(out, "--out", REPORT_SUFFIXES)
    from seqtasks.views import report as pages

    pages.write(pages.select(words, runs), runs, path, [word for word in words if "=" in word])
    print(path)


def plot(names: Sequence[str], out: str, runs: Path) -> None:
    """`seqtasks plot`: draws the learning curves of runs into one figure."""
    path = check_output(out, "--out", PLOT_SUFFIXES)
    opened = [folders.find(name, runs) for name in dict.fromkeys(names)]
    rows = [results.read(folder.path) for folder in opened]
    from seqtasks.task_types.common.plots import export_figure
    from seqtasks.views import curves

    baselines = results.baselines_of(rows[0], opened[0].path.parent)
    export_figure(curves.draw(list(zip(opened, rows, strict=True)), baselines), path)
    print(path)


def evaluate(names: Sequence[str], runs: Path, format: str, *, quiet: bool, trust: bool) -> None:
    """`seqtasks evaluate`: scores one run, or several runs and their ensemble."""
    opened = [folders.with_model(folders.find(name, runs)) for name in dict.fromkeys(names)]
    quietly.import_keras()
    from seqtasks.training import inference

    reporter = _reporter(quiet)
    rows = inference.ensemble(opened, reporter, trust) if opened[1:] else inference.evaluate(opened[0], reporter, trust)
    print_rows(rows, format)


def predict(name: str, words: Sequence[str], literal: int, runs: Path, **options: Any) -> None:
    """`seqtasks predict`: predicts with a run and prints or writes the predictions.

    Args:
        name: Run folder, or its name.
        words: Inputs and options of the task.
        literal: Number of the last words that came after a lone `--` and are inputs.
        runs: Folder of all runs.
        **options: Further fields of `predict_command.Request`.
    """
    folder = folders.with_model(folders.find(name, runs))  # refused before the import, which takes seconds
    quietly.import_keras()
    from seqtasks.cli import predict_command

    first = max(0, len(words) - literal)
    predict_command.predict(folder, predict_command.Request(words[:first], words[first:], **options))


def score(name: str, texts: Sequence[str], file: str | None, runs: Path, format: str, *, trust: bool) -> None:
    """`seqtasks score`: prints log-probability and perplexity of each text."""
    folder = folders.with_model(folders.find(name, runs))  # refused before the import, which takes seconds
    quietly.import_keras()
    from seqtasks.cli import score

    scored = score.score(folder, texts, file, trust)
    if format == "text":
        score.print_heat(scored)
    print_rows([line.row() for line in scored], format)


def show(task: str, words: Sequence[str], config_file: str | None, load: bool | None, *, json: bool) -> None:
    """`seqtasks show`: describes a task, or a cell if `task` is the word `cell`."""
    if json:
        print(_facts(task, words, config_file))
        return
    if task == "cell" and len(words) < 2:
        name = next(iter(words), "")
        file = plugins.cell_file(name)
        if file is not None:
            plugins.cell_in_file(*file)
        elif name not in plugins.cells:
            hint = plugins.cells.suggest(name)
            if not name:
                hint = "allowed: a name from `seqtasks list cells`, or a file; write seqtasks show cell lstm"
                raise UnknownNameError(f"no cell is named; {hint}")
            raise UnknownNameError(f"unknown cell {name!r}; {hint}")
        from seqtasks.cli import show

        show.print_cell(name)
        return
    if task == "cell" or any("=" not in word for word in words):
        typed = " ".join(repr(word) for word in (task, *words))
        raise UnknownNameError(
            f"cannot show {typed}; allowed: a task and settings key=value, or one cell; write seqtasks show TASK "
            "KEY=VALUE…, or seqtasks show cell NAME"
        )
    _show_task(task, words, config_file, load)


def _show_task(task: str, words: Sequence[str], config_file: str | None, load: bool | None) -> None:
    """Prints a task, and its data.

    Args:
        task: Name or file of the task.
        words: Settings as `key=value`.
        config_file: Value of `--config`.
        load: Load the data; None: print what an earlier call has stored, and load it only if a setting names the data.
    """
    from seqtasks.cli import show
    from seqtasks.core import config as configuration
    from seqtasks.core.declared_task import task_of_class
    from seqtasks.training import known_data

    checked = requests.check(task, words, config_file)
    request, declared = requests.digest(task, words, config_file, checked), checked.declared
    known = None
    if request is not None and load is None:
        known = known_data.recall(request, checked.config.data.tfds_dir)
        load = (known is None and any(word.startswith("data.") for word in words)) or None
    if declared is not None and not load:
        config = checked.config
        show.print_task(declared, config if known is None else configuration.from_dict(known.config, declared.Options))
        if known is not None:
            show.print_data(known.lines)
        elif load is None:
            print("\ndata: not loaded yet; --load reads it, prints its sizes, and keeps them for the next call")
        return
    cls, prepared, plan = requests.prepare(task, words, config_file)
    if load is False:
        show.print_task(task_of_class(cls), prepared)
        return
    from seqtasks.training import resolution

    resolved = resolution.resolve(prepared, cls, _reporter(quiet=True), plan)
    batches = resolved.task.batches(resolved.splits.train, resolved.config.train.batch_size, shuffle=True)
    lines = show.data_lines(resolved, batches)
    show.print_task(task_of_class(cls), resolved.config)
    show.print_data(lines)
    if request is not None:
        default = next(iter(cls.tfds_names()), None)
        data = known_data.KnownData(lines, resolved.config.to_dict())
        known_data.remember(data, request, resolved.source, prepared.data.source, default)


def _facts(task: str, words: Sequence[str], config_file: str | None) -> str:
    """Data and software of a task as one line of JSON, for executors that compare machines."""
    from json import dumps

    cls, config, plan = requests.prepare(task, words, config_file)
    from seqtasks.core import environment
    from seqtasks.training import resolution
    from seqtasks.training.fit import monitor_mode

    resolved = resolution.resolve(config, cls, _reporter(quiet=True), plan)
    splits, loaded = resolved.splits, resolved.task
    facts = {
        "task": loaded.name,
        "version": loaded.version,
        "source": splits.source,
        "fingerprint": splits.fingerprint,
        **{name: len(part) for name, part in splits.parts.items()},
        "monitor": loaded.monitor,
        "monitor_mode": monitor_mode(loaded),
        "versions": environment.versions(),
        "commit": environment.commit(),
        "machine": environment.machine(),
        "threads": environment.threads(),
    }
    return dumps(facts, ensure_ascii=False)


def _print_row(row: results.Row, skipped: bool, runs: Path, *, json: bool, quiet: bool) -> None:
    """Prints a row, the notes on it, and the stored baselines of its data.

    Args:
        row: The result row.
        skipped: Whether the run was finished before this command.
        runs: Folder of all runs.
        json: Print the row as one line of JSON instead, and its notes to standard error.
        quiet: With `json`, print the row only.
    """
    if json:
        for note in row.notes if not (skipped or quiet) else ():
            print(note, file=sys.stderr)
        print(results.to_json(row, skipped=skipped))
        return
    if skipped:
        print(f"{runs / row.run} was finished before; this is its result (--force trains it again)", file=sys.stderr)
    epochs = f"{row.epochs} epoch{'s' * (row.epochs != 1)}"
    scores = "  ".join(f"{name} {value:.4f}" for name, value in row.scores.items())
    if row.kind == "trial":
        print(f"{row.task} on {row.source}, validation: {row.metric} {row.value:.4f}; the test split was not read")
    else:
        print(f"{row.task} on {row.source}, test: {scores}")
    print(
        f"{row.cell}, {row.params:,} parameters ({row.encoder_params:,} in the encoder), {epochs}, "
        f"{row.seconds:.0f} s, {row.seconds_per_epoch:.1f} s/epoch, engine {row.engine}, seed {row.seed}"
    )
    print(f"run folder: {runs / row.run}")
    plots = runs / row.run / "plots"
    if count := len(list(plots.glob("*.png"))):
        print(f"plots: {count} picture{'s' * (count != 1)} in {plots}")
    for line in verdict.of_result(row, results.baselines_of(row, runs)) if row.kind != "trial" else ():
        print(line)


def _reporter(quiet: bool) -> Reporter:
    from seqtasks.core.reporter import Reporter

    return Reporter(quiet)
