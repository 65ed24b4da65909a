"""Executors: where the runs of a grid or a search are trained, and the loop that hands them out.

A point is a command of seqtasks. Every executor runs it in a child process, here (`local_executor`), where a process
runs one point after another, or on a machine of a Ray cluster (`ray_executor`). The driver, which is the process that
the user started, alone decides which point is next.
"""

from __future__ import annotations

import contextlib
import functools
import json
import re
import signal
import subprocess
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Self

from seqtasks.core.errors import RunError
from seqtasks.core.process_signals import stop_signals
from seqtasks.core.reporter import message_stream
from seqtasks.experiments.results import Row

Announce = Callable[[str], None]
THREADS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")
POLL = 0.1  # seconds between two looks at running points
_MODULE = ("-P", "-m", "seqtasks")


@dataclass(frozen=True)
class Point:
    """One run of a grid or a search.

    Attributes:
        label: The settings that tell it from the other points; empty for what is done before them, as baselines are.
        words: Command and arguments, such as `("run", "tagging", "seed=1")`.
        options: Options of the command, without `--runs`.
        runs: Folder of all runs.
    """

    label: str
    words: tuple[str, ...]
    options: tuple[str, ...]
    runs: Path

    def arguments(self) -> tuple[str, ...]:
        """Arguments of the command `seqtasks`."""
        return (*self.words, "--runs", str(self.runs), *self.options)


@dataclass(frozen=True)
class Ended:
    """A point whose child process has ended.

    Attributes:
        point: The point.
        code: Exit code; below 0: the number of the signal that killed it.
        output: Standard output, or its last line.
        log: File with its messages; None if they went to standard error.
        node: Name of the machine; empty: this one.
    """

    point: Point
    code: int
    output: str
    log: Path | None = None
    node: str = ""

    def answer(self) -> dict[str, Any]:
        """The last line of the output, a row or an error as JSON; empty if it is neither."""
        try:
            values = json.loads((self.output.strip().splitlines() or [""])[-1])
        except ValueError:
            return {}
        return values if isinstance(values, dict) else {}

    def failure(self) -> RunError:
        """The error of a child process whose exit code is not 0."""
        if self.code < 0:
            return RunError(f"killed by {signal.Signals(-self.code).name}")
        lines = self.log.read_text(encoding="utf-8", errors="replace").split("\n") if self.log is not None else []
        message = self.answer().get("error") or next((line.strip() for line in reversed(lines) if line.strip()), "")
        where = f", {self.log}" if self.log else ""
        return RunError(f"{message or 'its message is above'} (exit code {self.code}{where})")


class Executor(ABC):
    """Starts points, reports those that have ended, and stops them.

    Attributes:
        queued: Number of points to hand out beyond `slots`; they wait for a machine.
        shows_messages: Whether the points print their messages to standard error, and not to files.
        recall: Function that loads the row of a point that was finished before, None if there is none. It is used
            where the machine of a point may not see the folder of all runs.
        adopt: Function that is called with each run folder that came from another machine.
    """

    queued = 0
    shows_messages = False
    recall: Callable[[Point], Row | None] | None = None
    adopt: Callable[[Path], None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def prepare(self, runs: Path, data: Sequence[Sequence[str]], points: int | None = None) -> None:  # noqa: B027
        """Checks the machines before the first point.

        Args:
            runs: Folder of all runs.
            data: For each data set that the points read, the arguments of `seqtasks show` that name it.
            points: Number of points, if it is known.

        Raises:
            RunError: Machines whose results would differ, or that cannot run a point.
        """

    @property
    @abstractmethod
    def slots(self) -> int:
        """Number of points that can run at the same time."""

    @abstractmethod
    def start(self, point: Point) -> None:
        """Starts a point, or hands it to a cluster that starts it when a machine is free."""

    @abstractmethod
    def poll(self, seconds: float = POLL) -> list[Ended]:
        """The points that have ended since the last call.

        Args:
            seconds: Maximum time to wait for the first one.
        """

    @abstractmethod
    def stop(self, number: int, point: Point | None = None) -> None:
        """Sends a signal to running points, which then end, and starts no further attempt of them.

        Args:
            number: SIGINT or SIGTERM; training saves its state and ends.
            point: The only point to stop; None: all points.
        """

    def history(self, point: Point) -> str:
        """Text of `history.csv` of a running point; empty before its first epoch has ended.

        Args:
            point: A point whose run is the only one in its folder, besides runs that it needed first.
        """
        return history_in(point.runs)


def seqtasks_command(*arguments: str) -> tuple[str, ...]:
    """A command line of seqtasks for a child process.

    Python's option -P keeps the working folder out of the search path, where a folder named seqtasks would hide the
    installed package.

    Args:
        *arguments: Command and its arguments.

    Example:
        >>> seqtasks_command("list")[1:]
        ('-P', '-m', 'seqtasks', 'list')
    """
    return (sys.executable, *_MODULE, *arguments)


def drive(
    executor: Executor,
    following: Callable[[], Point | None],
    ended: Callable[[Ended, bool], None],
    watch: Callable[[], None] = lambda: None,
    queued: int = 0,
) -> bool:
    """Runs points until there are none left; SIGINT, SIGTERM and SIGHUP stop all of them.

    Args:
        executor: Where the points run.
        following: Function that returns the next point; None: there is none now.
        ended: Function that is called with each point that has ended, and whether all were being stopped.
        watch: Function that is called between two looks at the running points.
        queued: Number of points to hand out beyond the slots of the executor.

    Returns:
        Whether a signal stopped it; all points have ended.
    """
    running, stopped = 0, False
    with Signals() as signals:
        try:
            while True:
                for number in signals.take():
                    stopped = True
                    executor.stop(number)
                while not stopped and running < executor.slots + queued:
                    point = following()
                    if point is None:
                        break
                    executor.start(point)
                    running += 1
                if not running:
                    return stopped
                for one in executor.poll():
                    running -= 1
                    ended(one, stopped)
                watch()
        except BaseException:
            executor.stop(signal.SIGINT)
            while running > 0:
                for number in signals.take():
                    executor.stop(number)
                running -= len(executor.poll())
            raise


class Signals:
    """Context manager that records SIGINT, SIGTERM and SIGHUP, if in the main thread.

    The handler does nothing else, so that a signal never interrupts the start of a child process. A signal that is
    ignored, as SIGHUP under nohup, stays ignored.
    """

    def __init__(self) -> None:
        self._received: list[int] = []
        self._before: dict[int, Any] = {}

    def take(self) -> list[int]:
        """The signals since the last call, SIGHUP as SIGTERM."""
        received, self._received = self._received, []
        return [signal.SIGINT if number == signal.SIGINT else signal.SIGTERM for number in received]

    def __enter__(self) -> Signals:
        if threading.current_thread() is threading.main_thread():
            for number in stop_signals():
                if signal.getsignal(number) != signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        self._received.append(number)


@functools.cache
def data_facts(words: tuple[str, ...]) -> dict[str, Any]:
    """Returns data, versions and validation score, as `seqtasks show TASK … --json` prints them here.

    Args:
        words: Arguments of `seqtasks show`.

    Raises:
        RunError: The data cannot be loaded.
    """
    process = subprocess.run(
        seqtasks_command("show", *words, "--json"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    )
    ended = Ended(Point("", (), (), Path()), process.returncode, process.stdout)
    if process.returncode:
        raise RunError(f"the data cannot be loaded: {ended.failure()}; see seqtasks show {' '.join(words)}")
    return ended.answer()


def history_in(runs: Path) -> str:
    """Text of `history.csv` of the run in a folder that was begun first; empty if there is none.

    A run that needs a pretrained one trains it in the same folder, after its own folder was made.
    """
    with contextlib.suppress(OSError):
        begun = min(runs.glob("*/run.json"), key=lambda path: path.stat().st_mtime_ns, default=None)
        return "" if begun is None else (begun.parent / "history.csv").read_text(encoding="utf-8")
    return ""


def log_file(point: Point) -> Path:
    """The file in the subfolder `logs` of all runs for the messages of a point; its folder is made."""
    folder = point.runs / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / (re.sub(r"[^\w.=-]+", "_", f"{Path(point.words[1]).stem} {point.label}")[:200] + ".log")


def announce_line(text: str) -> None:
    """Prints a line of progress."""
    print(text, file=message_stream(), flush=True)
