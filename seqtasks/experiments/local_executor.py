"""Executor of this machine: child processes that share its cores."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

from seqtasks.core.environment import cores
from seqtasks.experiments.executor import POLL, THREADS, Announce, Ended, Executor, Point, announce_line, log_file

Execute = Callable[[Sequence[str], Mapping[str, str], IO[str], "Path | None"], "subprocess.Popen[str]"]


def launch(command: Sequence[str], env: Mapping[str, str], output: IO[str], log: Path | None) -> subprocess.Popen[str]:
    """Starts a command as a child process.

    The child is in a new process group, so that Ctrl-C of a terminal reaches only this process, which passes
    signals on to its children once.

    Args:
        command: The command.
        env: Environment variables.
        output: File for standard output.
        log: File for standard error; None: that of this process.
    """
    with contextlib.ExitStack() as stack:
        errors = stack.enter_context(log.open("w", encoding="utf-8")) if log is not None else None
        return subprocess.Popen(
            command,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            text=True,
            process_group=0 if os.name == "posix" else None,
        )


class LocalExecutor(Executor):
    """Runs points as child processes of this one.

    Args:
        jobs: Number of points at the same time; each gets an equal share of the cores. If more than 1, the
            subfolder `logs` of all runs gets the messages of each.
        execute: Function that starts a command with an environment, a file for its output and a log file.
        announce: Function that prints one line of progress.
    """

    def __init__(self, jobs: int = 1, execute: Execute = launch, announce: Announce = announce_line) -> None:
        self.jobs = jobs
        self.execute = execute
        self.announce = announce
        self.shows_messages = jobs == 1
        self._total: int | None = None
        self._started = 0
        self._running: dict[Point, tuple[subprocess.Popen[str], IO[str], Path | None]] = {}

    def prepare(self, runs: Path, data: Sequence[Sequence[str]], points: int | None = None) -> None:
        self._total = points
        self.jobs = self.jobs if points is None else min(self.jobs, points)
        self.shows_messages = self.jobs == 1

    @property
    def slots(self) -> int:
        return self.jobs

    def start(self, point: Point) -> None:
        self._started += 1
        log = None if self.shows_messages else log_file(point)
        if self.shows_messages:
            self.announce(f"[{self._started}/{self._total or '…'}] {point.label}")
        output = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115  # closed by `_ended`
        self._running[point] = self.execute(point.command(), self._environment(), output, log), output, log

    def poll(self, seconds: float = POLL) -> list[Ended]:
        deadline = time.monotonic() + seconds
        while not (done := [point for point, (child, _, _) in self._running.items() if child.poll() is not None]):
            if time.monotonic() > deadline:
                return []
            time.sleep(min(seconds, 0.02))
        return [self._ended(point) for point in done]

    def _ended(self, point: Point) -> Ended:
        child, output, log = self._running.pop(point)
        with output:
            output.seek(0)
            return Ended(point, child.returncode, output.read(), log)

    def stop(self, number: int, point: Point | None = None) -> None:
        for running, (child, _, _) in self._running.items():
            if point in (None, running):
                child.send_signal(number)

    def _environment(self) -> dict[str, str]:
        env = dict(os.environ)
        if self.jobs > 1:
            for name in THREADS:
                env.setdefault(name, str(max(1, cores() // self.jobs)))
        return env
