"""Grids of runs in separate processes: `seqtasks compare TASK seed=0,1,2`."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from seqtasks.core import plugins
from seqtasks.core.config import split_override
from seqtasks.core.environment import cores
from seqtasks.core.errors import MANY, ConfigError, Interrupted, RunError, SeqtasksError
from seqtasks.core.process_signals import group_options, pass_on, stop_signals
from seqtasks.core.reporter import message_stream
from seqtasks.core.settings import parse
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
        return json.dumps(parse(text), sort_keys=True, default=str)


# -P: do not import from the working folder, where a folder named seqtasks would hide the installed package.
SEQTASKS = (sys.executable, "-P", "-m", "seqtasks")
Execute = Callable[[Sequence[str], Mapping[str, str], "Path | None"], "subprocess.Popen[str]"]
THREADS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")


@dataclass(frozen=True)
class Point:
    """One run of the grid.

    Attributes:
        label: The settings that vary in the grid.
        command: The command that trains the run.
    """

    label: str
    command: tuple[str, ...]


@dataclass
class Grid:
    """Results of a grid.

    Attributes:
        rows: Result rows of baselines and runs.
        skipped: Labels of runs that were finished before; `rows` contains their rows.
        failed: Error messages of failed runs, by label.
    """

    rows: list[Row] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)

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


def plan(task: str, overrides: Sequence[str], *, runs_dir: Path, config_file: str | Path | None = None) -> list[Point]:
    """The runs of a grid with their commands.

    Args:
        task: Name or file of the task.
        overrides: Settings as `key=a,b`.
        runs_dir: Folder of all runs.
        config_file: Value of `--config` of every run.

    Raises:
        ConfigError: As for `expand`.
    """
    grid = expand(overrides)
    points = []
    for point in grid:
        label = " ".join(text for i, text in enumerate(point) if any(other[i] != text for other in grid)) or task
        command = [*SEQTASKS, "run", task, *point, "--runs", str(runs_dir), "--json"]
        points.append(Point(label, (*command, *(["--config", str(config_file)] if config_file is not None else []))))
    return points


def launch(command: Sequence[str], env: Mapping[str, str], log: Path | None) -> subprocess.Popen[str]:
    """Starts a command as a child process.

    The child is in a new process group, so that Ctrl-C of a terminal reaches only this process, which passes
    signals on to its children once.

    Args:
        command: The command.
        env: Environment variables.
        log: File for standard error; None: that of this process.
    """
    with contextlib.ExitStack() as stack:
        errors = stack.enter_context(log.open("w", encoding="utf-8")) if log is not None else None
        return subprocess.Popen(
            command,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            encoding="utf-8",
            errors="replace",
            **group_options(),
        )


def run_grid(
    task: str,
    overrides: Sequence[str],
    *,
    runs_dir: Path,
    jobs: int = 1,
    config_file: str | Path | None = None,
    execute: Execute = launch,
    baseline: Callable[[], Sequence[Row]] | None = None,
    announce: Callable[[str], None] = lambda text: print(text, file=message_stream(), flush=True),
) -> Grid:
    """Trains all runs of a grid; a run that fails does not stop the others.

    Args:
        task: Name or file of the task.
        overrides: Settings as `key=a,b`, see `expand`.
        runs_dir: Folder of all runs; with `jobs` > 1, its subfolder `logs` gets the messages of each run.
        jobs: Number of runs at the same time; each gets an equal share of the cores.
        config_file: Value of `--config` of every run.
        execute: Function that starts a command with an environment and a log file.
        baseline: Function that fits the baselines and returns their rows; called once, before the runs.
        announce: Function that prints one line of progress.

    Raises:
        ConfigError: As for `expand`, or `jobs` is less than 1.
        Interrupted: Ctrl-C or SIGTERM; all children were stopped and have ended.
    """
    if jobs < 1:
        raise ConfigError(f"--jobs is {jobs}; allowed: ≥ 1; set --jobs 1 for one run at a time")
    points = plan(task, overrides, runs_dir=runs_dir, config_file=config_file)
    jobs = min(jobs, len(points))
    grid = Grid()
    if baseline is not None:
        try:
            grid.rows += baseline()
        except Interrupted:
            raise
        except SeqtasksError as error:
            grid.failed["baseline"] = str(error)
            announce(f"failed: baseline: {error}")
    logs = {point: _log(Path(runs_dir), task, point.label) if jobs > 1 else None for point in points}
    children, env, console = _Children(execute), _environment(jobs), Console(stderr=True)

    rows: dict[Point, Row] = {}

    def work(number: int, point: Point) -> None:
        if jobs == 1 and not children.stopped:
            announce(f"[{number}/{len(points)}] {point.label}")
        ended = children.run(point.command, env, logs[point])
        if ended is None:
            return
        try:
            row, before = _outcome(*ended, logs[point])
        except RunError as error:
            if not children.stopped:
                grid.failed[point.label] = str(error)
                announce(f"failed: {point.label}: {error}")
            return
        rows[point] = row
        if before:
            grid.skipped.append(point.label)
            announce(f"finished before, skipped: {point.label}")
        else:
            announce(f"{point.label}: {row.metric} {row.value:.4g} after {row.seconds:.0f} s")

    bar = Progress(console=console, disable=jobs == 1 or not console.is_terminal)
    with children.listening(), bar, ThreadPoolExecutor(jobs) as pool:
        total = bar.add_task(task, total=len(points))
        futures = [pool.submit(work, number, point) for number, point in enumerate(points, 1)]
        try:
            for future in as_completed(futures):
                future.result()
                bar.advance(total)
        except BaseException:
            children.stop(signal.SIGINT)
            raise
    if children.stopped:
        raise Interrupted(
            f"stopped with {len(rows)} of {len(points)} runs finished; run the same command again: "
            "finished runs are skipped and interrupted ones are continued"
        )
    grid.rows += [rows[point] for point in points if point in rows]
    return grid


class _Children:
    """Runs child processes from several threads, and passes signals on to them."""

    def __init__(self, execute: Execute) -> None:
        self.execute = execute
        self.stopped = False
        self.running: set[subprocess.Popen[str]] = set()
        self.lock = threading.RLock()  # reentrant: a second signal may arrive while the first is passed on

    def run(self, command: Sequence[str], env: Mapping[str, str], log: Path | None) -> tuple[int, str] | None:
        """Runs a command; returns exit code and output, None if it was stopped before."""
        with self.lock:
            if self.stopped:
                return None
            child = self.execute(command, env, log)
            self.running.add(child)
        output, _ = child.communicate()
        with self.lock:
            self.running.discard(child)
        return child.returncode, output

    def stop(self, number: int, _frame: object = None) -> None:
        """Starts no further children and sends a signal to those that run."""
        self.stopped = True
        with self.lock:
            for child in tuple(self.running):
                pass_on(child, number)

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Handles signals that ask to stop by `stop` in the body, if in the main thread."""
        before = {}
        if threading.current_thread() is threading.main_thread():
            for number in stop_signals():
                before[number] = signal.signal(number, self.stop)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _outcome(code: int, output: str, log: Path | None) -> tuple[Row, bool]:
    """The row that a child printed, and whether its run was finished before.

    Raises:
        RunError: The child failed; with its message.
    """
    last = (output.strip().splitlines() or [""])[-1]
    try:
        answer = json.loads(last)
    except ValueError:
        answer = None
    answer = answer if isinstance(answer, dict) else {}
    if code == 0:
        return from_json(last), answer.get("skipped") is True
    if code < 0:
        raise RunError(f"killed by {signal.Signals(-code).name}")
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n") if log is not None else []
    message = answer.get("error") or next((line.strip() for line in reversed(lines) if line.strip()), "")
    raise RunError(f"{message or 'its message is above'} (exit code {code}{f', {log}' if log else ''})")


def _log(runs_dir: Path, task: str, label: str) -> Path:
    folder = runs_dir / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / (re.sub(r"[^\w.=-]+", "_", f"{Path(task).stem} {label}")[:200] + ".log")


def _environment(jobs: int) -> dict[str, str]:
    env = dict(os.environ)
    if jobs > 1:
        for name in THREADS:
            env.setdefault(name, str(max(1, cores() // jobs)))
    return env
