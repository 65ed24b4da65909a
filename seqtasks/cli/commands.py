"""What the commands do, one function each; Keras is imported as late as possible."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from seqtasks.cli.console import print_rows
from seqtasks.core import config as configuration
from seqtasks.core import config_files, plugins
from seqtasks.core import keras_import as quietly
from seqtasks.core.aliases import present_name
from seqtasks.core.errors import TASK_SETTINGS, ConfigError, RunError, UnknownNameError, suggest
from seqtasks.experiments import results
from seqtasks.experiments import run_folder as folders
from seqtasks.training import known_runs, verdict

if TYPE_CHECKING:
    from seqtasks.core.config import Config, EncoderConfig
    from seqtasks.core.reporter import Reporter
    from seqtasks.task_types.base import Task
    from seqtasks.training.resolution import Plan


def check(task: str, overrides: Sequence[str], config_file: str | None) -> tuple[str, Path | None]:
    """The checks that need no Keras; returns the task's name and, for a file, its YAML.

    Raises:
        SeqtasksError: an unknown task, cell or setting.
    """
    from_file = task.endswith(".py") or "/" in task
    if not from_file and task not in plugins.tasks:
        raise UnknownNameError(f"unknown task {task!r}; {plugins.tasks.suggest(task)}")
    if from_file:
        plugins.check_file(Path(task), "task")
    name, own = (Path(task).stem, Path(task).with_suffix(".yaml")) if from_file else (task, None)
    config = configuration.resolve(name, None, overrides, config_file, own)
    _check_cells(config.encoder, from_file)
    facts = plugins.declared(task)
    known: list[str] | None = facts.get("options")
    for option in configuration.option_names(name, overrides, config_file, own):
        if known is not None and option not in known and present_name(option, known) is None:
            hint = suggest(option, known, "options.", TASK_SETTINGS)
            raise ConfigError(f"unknown setting options.{option}; {hint}")
    if config.data.source != "auto" or not (facts.get("tfds", True) or facts.get("builtin", True)):
        from seqtasks.data.resolve import check_source  # NumPy takes a while

        check_source(config.data.source, facts)
    return name, own


def _check_cells(encoder: EncoderConfig, from_file: bool) -> None:
    """Refuses an unknown `encoder.cell` or `encoder.match`; a task's file may bring a cell of its own."""
    names = [] if encoder.match is None else [configuration.parse_match(encoder.match)[0]]
    place = plugins.cell_file(encoder.cell)
    if place is None:
        names.insert(0, encoder.cell)
    else:
        brought = plugins.cell_in_file(*place)
        names = [name for name in names if name != brought]
    for name in names:
        if name not in plugins.cells and not from_file:
            hint = plugins.cells.suggest(name)
            hint = "seqtasks compare takes all cells" if name == "all" else hint
            hint = "encoder.match takes a cell by its name" if plugins.cell_file(name) else hint
            raise UnknownNameError(f"unknown cell {name!r}; {hint}")


def prepare(task: str, overrides: Sequence[str], config_file: str | None) -> tuple[type[Task], Config, Plan]:
    """The task, its configuration as far as it is known without the data, and what completes it.

    The quick checks come before the slow import.

    Raises:
        SeqtasksError: an unknown task, cell or setting, or a plugin that cannot be imported.
    """
    name, own = check(task, overrides, config_file)
    quietly.import_keras()
    cls = plugins.load_task(task)
    if own is None and name not in config_files.bundled():  # a plugin package keeps its YAML beside its module
        own = Path(str(sys.modules[cls.__module__].__file__)).with_suffix(".yaml")
    cells: dict[str, str] = {}  # of a file: the name that it registers

    def plan(**data: Any) -> Config:
        config = configuration.resolve(cls.name, cls.Options, overrides, config_file, own, **data)
        configuration.check_texts(config)
        cell = config.encoder.cell
        if cell not in cells:
            cells[cell] = plugins.load_cell(cell).cell_name
        return dataclasses.replace(config, encoder=dataclasses.replace(config.encoder, cell=cells[cell]))

    return cls, plan(), plan


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
) -> None:
    """`seqtasks run`."""
    name, own = check(task, overrides, config_file)
    asked = configuration.resolve(name, None, overrides, config_file, own)
    place, data = plugins.cell_file(asked.encoder.cell), asked.data
    request = known_runs.request_of(task, overrides, config_file, own, place and place[0])
    if request is not None and not (dry_run or force):
        row = known_runs.recall(runs, request, data.tfds_dir)
        if row is not None:
            _print_row(row, True, runs, json)
            return
    cls, config, plan = prepare(task, overrides, config_file)
    from seqtasks.training import baselines, resolution, train

    reporter = _reporter(quiet)
    train.check(config, cls)
    resolved = resolution.resolve(config, cls, reporter, plan)
    if dry_run:
        print(yaml.safe_dump(resolved.config.to_dict(), sort_keys=False).rstrip())
        model, _ = train.build(resolved.task, resolved.config)
        model.summary(print_fn=lambda text, **_: print(text))
        return
    row, skipped = train.run_resolved(resolved, runs, reporter, force)
    if not json:  # `compare` starts its runs with --json, and fits the baselines itself
        baselines.quick_baselines(resolved, runs, reporter)
    _print_row(row, skipped, runs, json)
    if request is not None:
        default = next(iter(cls.tfds_names()), None)
        known_runs.remember(runs / row.run, request, resolved.source, data.source, default)


def resume(name: str, runs: Path, *, quiet: bool, json: bool, trust: bool) -> None:
    """`seqtasks resume`."""
    folder = folders.find(name, runs)
    quietly.import_keras()
    from seqtasks.training import inference

    _print_row(*inference.resume(folder, _reporter(quiet), trust), folder.path.parent, json)


def baseline(
    task: str, overrides: Sequence[str], config_file: str | None, runs: Path, *, quiet: bool, json: bool
) -> None:
    """`seqtasks baseline`."""
    cls, config, plan = prepare(task, overrides, config_file)
    from seqtasks.training.baselines import run_baselines

    rows = run_baselines(config, cls, runs, _reporter(quiet), plan)
    if not rows and not json:
        print(f"task {cls.name} has no baseline")
    for row in rows:
        print(results.to_json(row) if json else f"{row.cell}: {row.metric} {row.value:.4f} on {row.source}")


def compare(
    task: str, overrides: Sequence[str], config_file: str | None, runs: Path, jobs: int, baseline: bool, format: str
) -> None:
    """`seqtasks compare`."""
    from seqtasks.experiments import compare, table_formats
    from seqtasks.experiments import compare as comparing
    from seqtasks.experiments import table as tables

    def baselines() -> list[results.Row]:
        rows = []
        for point in compare.expand(compare.of_data(overrides)):
            command = [*comparing.SEQTASKS, "baseline", task, *point, "--runs", str(runs), "--json"]
            command += ["--config", config_file] if config_file else []
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
            if done.returncode:
                raise RunError("the baselines failed; their message is above; correct the cause or add --no-baseline")
            rows += [results.from_json(line) for line in done.stdout.splitlines() if line.startswith("{")]
        return list({row.run: row for row in rows}.values())

    for point in compare.expand(overrides):
        check(task, point, config_file)
    done = comparing.run_grid(
        task, overrides, runs_dir=runs, jobs=jobs, config_file=config_file, baseline=baselines if baseline else None
    )
    if done.rows:
        print(table_formats.render(tables.build(done.rows), format))
    done.check()


def table(words: Sequence[str], by: str | None, format: str, runs: Path) -> None:
    """`seqtasks table`."""
    from seqtasks.experiments import table as tables
    from seqtasks.experiments import table_formats

    tasks, where = [word for word in words if "=" not in word], [word for word in words if "=" in word]
    keys = [key.strip() for key in by.split(",")] if by else []
    print(table_formats.render(tables.load_table(runs, tasks, keys, where), format))


def evaluate(names: Sequence[str], runs: Path, format: str, *, quiet: bool, trust: bool) -> None:
    """`seqtasks evaluate`."""
    opened = [folders.find(name, runs) for name in dict.fromkeys(names)]
    quietly.import_keras()
    from seqtasks.training import inference

    reporter = _reporter(quiet)
    rows = inference.ensemble(opened, reporter, trust) if opened[1:] else inference.evaluate(opened[0], reporter, trust)
    print_rows(rows, format)


def predict(name: str, words: Sequence[str], literal: int, runs: Path, **how: Any) -> None:
    """`seqtasks predict`; the last `literal` words came after a lone `--`; `how` is as in `predicting.Request`."""
    folder = folders.find(name, runs)
    quietly.import_keras()
    from seqtasks.cli import predict_command

    first = max(0, len(words) - literal)
    predict_command.predict(folder, predict_command.Request(words[:first], words[first:], **how))


def score(name: str, texts: Sequence[str], file: str | None, runs: Path, format: str, *, trust: bool) -> None:
    """`seqtasks score`."""
    folder = folders.find(name, runs)
    quietly.import_keras()
    from seqtasks.cli import score

    scored = score.score(folder, texts, file, trust)
    if format == "text":
        score.print_heat(scored)
    print_rows([line.row() for line in scored], format)


def show(task: str, words: Sequence[str], load: bool) -> None:
    """`seqtasks show`."""
    if task == "cell" and len(words) < 2:
        name = next(iter(words), "")
        place = plugins.cell_file(name)
        if place is not None:
            plugins.cell_in_file(*place)
        elif name not in plugins.cells:
            hint = plugins.cells.suggest(name)
            raise UnknownNameError(f"unknown cell {name!r}; {hint}" if name else "give a cell: seqtasks show cell lstm")
        quietly.import_keras()
        from seqtasks.cli import show

        show.print_cell(name)
        return
    if task == "cell" or any("=" not in word for word in words):
        given = " ".join(repr(word) for word in (task, *words))
        raise UnknownNameError(f"cannot show {given}; write seqtasks show TASK KEY=VALUE, or seqtasks show cell NAME")
    cls, config, plan = prepare(task, words, None)
    from seqtasks.cli import show

    if not load:
        show.print_task(cls, config)
        return
    from seqtasks.training import resolution

    resolved = resolution.resolve(config, cls, _reporter(quiet=True), plan)
    show.print_task(cls, resolved.config)
    batches = resolved.task.batches(resolved.splits.train, resolved.config.train.batch_size, shuffle=True)
    show.print_data(resolved, batches)


def _print_row(row: results.Row, skipped: bool, runs: Path, json: bool) -> None:
    """Prints a row, what makes it doubtful, and the baselines of its data that are there."""
    if json:
        print(results.to_json(row, skipped=skipped))
        return
    if skipped:
        print(f"{runs / row.run} is finished; --force trains it again", file=sys.stderr)
    scores = "  ".join(f"{name} {value:.4f}" for name, value in row.scores.items())
    print(f"{row.task} on {row.source}, test: {scores}")
    print(
        f"{row.cell}, {row.params:,} parameters ({row.encoder_params:,} in the encoder), {row.epochs} epochs, "
        f"{row.seconds:.0f} s, {row.seconds_per_epoch:.1f} s/epoch, engine {row.engine}, seed {row.seed}"
    )
    print(f"folder {runs / row.run}")
    same = [
        other
        for other in results.rows(runs, row.task)
        if other.kind == "baseline" and (other.source, other.fingerprint) == (row.source, row.fingerprint)
    ]
    for line in [*row.notes, *verdict.of_baselines(row, same)]:
        print(line)


def _reporter(quiet: bool) -> Reporter:
    from seqtasks.core.reporter import Reporter

    return Reporter(quiet)
