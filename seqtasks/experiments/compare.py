"""Grids of runs: `seqtasks compare TASK encoder.cell=gru,lstm seed=0,1,2`."""

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
from seqtasks.core.reporter import message_stream
from seqtasks.core.settings import parse
from seqtasks.experiments.results import Row, from_json

_PAIRS = {"[": "]", "{": "}"}


def expand(overrides: Sequence[str]) -> list[list[str]]:
    """The grid of `key=a,b` overrides, the first key slowest.

    `encoder.cell=all` stands for every registered cell. Commas inside brackets, braces and quotes
    do not separate; quotes around a whole value are taken off.

    Raises:
        ConfigError: a key or a value stands twice, a value is empty, a bracket or quote stays open.
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
    """The overrides that decide the data and so the baselines: `data.*` and `options.*`."""
    return [text for text in overrides if split_override(text)[0].startswith(("data.", "options."))]


def _split(key: str, text: str) -> list[str]:
    """The values of `a,[1,2],"c,d"`."""
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
        raise ConfigError(f"{key}={text} has an empty value; write {key}=a,b, or null for nothing")
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


# -P: a folder named seqtasks in the current one must not hide the installed package.
SEQTASKS = (sys.executable, "-P", "-m", "seqtasks")
Execute = Callable[[Sequence[str], Mapping[str, str], "Path | None"], "subprocess.Popen[str]"]
THREADS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")


@dataclass(frozen=True)
class Point:
    """One run of the grid; the label names what varies."""

    label: str
    command: tuple[str, ...]


@dataclass
class Grid:
    """What became of the points."""

    rows: list[Row] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)  # finished before; their rows are among `rows`
    failed: dict[str, str] = field(default_factory=dict)  # label to the last line of the error

    def check(self) -> None:
        """To call once the table is printed.

        Raises:
            RunError: some point failed.
        """
        if self.failed:
            count = len(self.failed)
            shown = [f"{label}: {reason}" for label, reason in self.failed.items()][: 3 if count > MANY else count]
            reasons = "; ".join(shown) + (f"; the others above ({count} in all)" if len(shown) < count else "")
            raise RunError(
                f"{count} run{'s' * (count > 1)} failed: {reasons}; correct the cause, run the same command again"
            )


def plan(task: str, overrides: Sequence[str], *, runs_dir: Path, config_file: str | Path | None = None) -> list[Point]:
    """The points of the grid and their commands.

    Raises:
        ConfigError: as `expand`.
    """
    grid = expand(overrides)
    points = []
    for point in grid:
        label = " ".join(text for i, text in enumerate(point) if any(other[i] != text for other in grid)) or task
        command = [*SEQTASKS, "run", task, *point, "--runs", str(runs_dir), "--json"]
        points.append(Point(label, (*command, *(["--config", str(config_file)] if config_file is not None else []))))
    return points


def launch(command: Sequence[str], env: Mapping[str, str], log: Path | None) -> subprocess.Popen[str]:
    """Starts a child; its errors go to `log`, or to where ours go.

    The child leads a process group: a terminal's Ctrl-C reaches us alone, and every signal
    that we pass on arrives once.
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
            process_group=0,
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
    """Runs every point; one that fails does not stop the others.

    Args:
        task: name or file of the task.
        overrides: as of `expand`.
        runs_dir: folder of the run folders; logs go to `logs/` in it when `jobs` > 1.
        jobs: points at a time; the cores are shared out among them.
        config_file: passed on to every run.
        execute: starts a command, given the environment and the log file.
        baseline: called once before the points; gives the rows of the baselines.
        announce: takes one line of progress.

    Raises:
        ConfigError: as `expand`, or `jobs` < 1.
        Interrupted: Ctrl-C or SIGTERM; the children have been told and have ended.
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
            "finished runs are skipped and half-done ones are continued"
        )
    grid.rows += [rows[point] for point in points if point in rows]
    return grid


class _Children:
    """Runs processes in threads, and passes the signals that we get on to them."""

    def __init__(self, execute: Execute) -> None:
        self.execute = execute
        self.stopped = False
        self.running: set[subprocess.Popen[str]] = set()
        self.lock = threading.RLock()  # a second signal may come while the first is passed on

    def run(self, command: Sequence[str], env: Mapping[str, str], log: Path | None) -> tuple[int, str] | None:
        """Exit code and output; none if we were stopped before it began."""
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
        self.stopped = True
        with self.lock:
            for child in tuple(self.running):
                child.send_signal(signal.SIGINT if number == signal.SIGINT else signal.SIGTERM)

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        before = {}
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                if signal.getsignal(number) != signal.SIG_IGN:  # as under nohup
                    before[number] = signal.signal(number, self.stop)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _outcome(code: int, output: str, log: Path | None) -> tuple[Row, bool]:
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
