"""Grids of runs: `seqtasks compare TASK seed=0,1,2`."""

from __future__ import annotations

import itertools
import json
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from seqtasks.core import plugins
from seqtasks.core.config import split_override
from seqtasks.core.errors import MANY, ConfigError, Interrupted, RunError, SeqtasksError
from seqtasks.core.settings import parse
from seqtasks.experiments.executor import Announce, Ended, Executor, Point, announce_line, drive
from seqtasks.experiments.local_executor import LocalExecutor
from seqtasks.experiments.results import Row, from_json

_PAIRS = {"[": "]", "{": "}"}


def expand(overrides: Sequence[str]) -> list[list[str]]:
    """All combinations of `key=a,b` overrides; the first key varies slowest.

    `encoder.cell=all` stands for every registered cell. Commas inside brackets, braces and quotes
    do not separate values; quotes around a whole value are removed.

    Args:
        overrides: Settings as `key=a,b`.

    Returns:
        The overrides of each combination.

    Raises:
        ConfigError: A key or a value occurs twice, a value is empty, or a bracket or quote is not closed.

    Example:
        >>> expand(["encoder.cell=gru,lstm", "seed=0"])
        [['encoder.cell=gru', 'seed=0'], ['encoder.cell=lstm', 'seed=0']]
    """
    axes: dict[str, list[str]] = {}
    for text in overrides:
        key, value = split_override(text)
        if key in axes:
            raise ConfigError(f"{key} is given twice; separate its values by commas: {key}=a,b")
        axes[key] = plugins.cells.names() if (key, value) == ("encoder.cell", "all") else _split(key, value)
    return [
        [f"{key}={value}" for key, value in zip(axes, point, strict=True)]
        for point in itertools.product(*axes.values())
    ]


def of_data(overrides: Sequence[str]) -> list[str]:
    """The overrides that the data and its baselines depend on: `data.*` and `options.*`."""
    return [text for text in overrides if split_override(text)[0].startswith(("data.", "options."))]


def _split(key: str, text: str) -> list[str]:
    """Splits a text such as `a,[1,2],"c,d"` into its values; see `expand`."""
    values: list[str] = []
    word, closing = "", ""
    for sign in text:
        if sign == "," and not closing:
            values.append(word)
            word = ""
            continue
        if closing and sign == closing[-1]:
            closing = closing[:-1]
        elif sign in "\"'" and word.rstrip()[-1:] in ("", *"[{,:") and closing[-1:] not in ("'", '"'):
            closing += sign
        elif sign in _PAIRS and (not closing or closing[-1] not in "\"'"):
            closing += _PAIRS[sign]
        word += sign
    if closing:
        raise ConfigError(f"{key}={text} lacks a closing {closing[-1]}; close it, or quote the whole value")
    values = [value.strip() for value in (*values, word)]
    if "" in values:
        raise ConfigError(f"{key}={text} has an empty value; allowed: values separated by commas; write {key}=a,b")
    values = [v[1:-1] if len(v) > 1 and v[0] == v[-1] and v[0] in "\"'" else v for v in values]
    seen: set[str] = set()
    for value in values:
        same = _canonical(value)
        if same in seen:
            raise ConfigError(f"{key} has the value {value} twice; give each value once")
        seen.add(same)
    return values


def _canonical(text: str) -> str:
    try:
        return str(float(text))  # 64 and 64.0 are one value
    except ValueError:
        value = parse(text)
    try:
        return json.dumps(value, sort_keys=True, default=str)
    except TypeError:  # keys of several types, which have no order
        return json.dumps(value, default=str)


@dataclass
class Grid:
    """Results of a grid.

    Attributes:
        rows: Result rows of baselines and runs.
        by_point: Result row of each run.
        skipped: Labels of runs that were finished before; `rows` contains their rows.
        failed: Error messages of failed runs, by label.
    """

    rows: list[Row] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    by_point: dict[Point, Row] = field(default_factory=dict)

    def check(self) -> None:
        """Reports failed runs; called after the table is printed.

        Raises:
            RunError: A run failed.
        """
        if self.failed:
            count = len(self.failed)
            shown = [f"{label}: {reason}" for label, reason in self.failed.items()][: 3 if count > MANY else count]
            reasons = "; ".join(shown) + (f"; the others above ({count} in all)" if len(shown) < count else "")
            raise RunError(
                f"{count} run{'s' * (count > 1)} failed: {reasons}; correct the cause, run the same command again"
            )


def plan(
    task: str,
    overrides: Sequence[str],
    *,
    runs_dir: Path,
    config_file: str | Path | None = None,
    name: str | None = None,
) -> list[Point]:
    """The runs of a grid.

    Args:
        task: Name or file of the task.
        overrides: Settings as `key=a,b`.
        runs_dir: Folder of all runs.
        config_file: Value of `--config` of every run.
        name: Name before the label of every run, for a task of a suite; None: no name.

    Raises:
        ConfigError: As for `expand`.
    """
    grid = expand(overrides)
    points = []
    for point in grid:
        label = " ".join(text for i, text in enumerate(point) if any(other[i] != text for other in grid))
        label = " ".join(filter(None, (name, label))) or task
        options = ["--json", *(["--config", str(config_file)] if config_file is not None else [])]
        points.append(Point(label, ("run", task, *point), tuple(options), Path(runs_dir)))
    return points


def data_of(task: str, overrides: Sequence[str], config_file: str | Path | None = None) -> list[list[str]]:
    """Arguments of `seqtasks show` for each data set that a grid reads.

    Args:
        task: Name or file of the task.
        overrides: Settings as `key=a,b`.
        config_file: Value of `--config`.
    """
    config = ["--config", str(config_file)] if config_file is not None else []
    return [[task, *point, *config] for point in expand(of_data(overrides))]


def run_grid(
    task: str,
    overrides: Sequence[str],
    *,
    runs_dir: Path,
    executor: Executor | None = None,
    config_file: str | Path | None = None,
    baseline: Callable[[], Sequence[Row]] | None = None,
    announce: Announce = announce_line,
) -> Grid:
    """Trains all runs of a grid; a run that fails does not stop the others.

    Args:
        task: Name or file of the task.
        overrides: Settings as `key=a,b`, see `expand`.
        runs_dir: Folder of all runs.
        executor: Where the runs are trained; None: one after another in a child process of this one.
        config_file: Value of `--config` of every run.
        baseline: Function that fits the baselines and returns their rows; called once, before the runs.
        announce: Function that prints one line of progress.

    Raises:
        ConfigError: As for `expand`.
        RunError: The machines of a cluster cannot run the grid.
        Interrupted: Ctrl-C or SIGTERM; all children were stopped and have ended.
    """
    points = plan(task, overrides, runs_dir=runs_dir, config_file=config_file)
    data = data_of(task, overrides, config_file)
    return run_points(points, data, task, runs_dir=runs_dir, executor=executor, baseline=baseline, announce=announce)


def run_points(
    points: Sequence[Point],
    data: Sequence[Sequence[str]],
    title: str,
    *,
    runs_dir: Path,
    executor: Executor | None = None,
    baseline: Callable[[], Sequence[Row]] | None = None,
    announce: Announce = announce_line,
) -> Grid:
    """Trains runs, which may be of several tasks; a run that fails does not stop the others.

    Args:
        points: The runs, see `plan`.
        data: Arguments of `seqtasks show` for each data set that they read, see `data_of`.
        title: Name of the whole, for the progress bar.
        runs_dir: Folder of all runs.
        executor: As for `run_grid`.
        baseline: As for `run_grid`.
        announce: As for `run_grid`.

    Raises:
        RunError: The machines of a cluster cannot run the points.
        Interrupted: As for `run_grid`.
    """
    grid = Grid()
    rows: dict[Point, Row] = {}
    executor = executor or LocalExecutor(announce=announce)
    console = Console(stderr=True)

    def ended(one: Ended, stopped: bool) -> None:
        bar.advance(total)
        label, where = one.point.label, f" on {one.node}" if one.node else ""
        try:
            row = _row(one)
        except RunError as error:
            if not stopped:
                grid.failed[label] = f"{error}{where}"
                announce(f"failed: {label}: {grid.failed[label]}")
            return
        rows[one.point] = row
        if one.answer().get("skipped") is True:
            grid.skipped.append(label)
            announce(f"finished before, skipped: {label}")
        else:
            announce(f"{label}: {row.metric} {row.value:.4g} after {row.seconds:.0f} s{where}")

    with executor:
        executor.prepare(Path(runs_dir), data, len(points))
        if baseline is not None:
            try:
                grid.rows += baseline()
            except Interrupted:
                raise
            except SeqtasksError as error:
                grid.failed["baseline"] = str(error)
                announce(f"failed: baseline: {error}")
        waiting = deque(points)
        with Progress(console=console, disable=executor.shows_messages or not console.is_terminal) as bar:
            total = bar.add_task(title, total=len(points))
            following = lambda: waiting.popleft() if waiting else None  # noqa: E731
            stopped = drive(executor, following, ended, queued=executor.queued)
    if stopped:
        raise Interrupted(
            f"stopped with {len(rows)} of {len(points)} runs finished; run the same command again: "
            "finished runs are skipped and interrupted ones are continued"
        )
    grid.by_point = {point: rows[point] for point in points if point in rows}
    grid.rows += grid.by_point.values()
    return grid


def _row(ended: Ended) -> Row:
    """The row that a child process printed.

    Raises:
        RunError: It failed, or printed no row.
    """
    if ended.code:
        raise ended.failure()
    return from_json((ended.output.strip().splitlines() or [""])[-1])
