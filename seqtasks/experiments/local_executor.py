"""Executor of this machine: processes that share its cores and run one point after another."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from seqtasks.core.environment import cores
from seqtasks.experiments.executor import POLL, THREADS, Announce, Ended, Executor, Point, announce_line, log_file
from seqtasks.experiments.lasting_process import LastingProcess, Start, start_worker

PER_PROCESS = ("train.precision=",)  # settings that all points of a process have in common


@dataclass(frozen=True)
class _Kind:
    """Settings that must be equal for two points to run in one process."""

    settings: tuple[str, ...]
    shares_cores: bool


@dataclass
class _Running:
    """A point that runs, and its process."""

    process: LastingProcess
    kind: _Kind
    output: Path
    log: Path | None


class LocalExecutor(Executor):
    """Runs points in processes that stay, so that Keras is imported once for many points.

    A point that fails, or after which its process has grown, is the last one of the process.

    Args:
        jobs: Number of points at the same time; each gets an equal share of the cores. If more than 1, the
            subfolder `logs` of all runs gets the messages of each.
        start: Function that starts a process with an environment; see `lasting_process.serve`.
        announce: Function that prints one line of progress.
    """

    def __init__(self, jobs: int = 1, start: Start = start_worker, announce: Announce = announce_line) -> None:
        self.jobs = jobs
        self.start_process = start
        self.announce = announce
        self.shows_messages = jobs == 1
        self._total: int | None = None
        self._started = 0
        self._running: dict[Point, _Running] = {}
        self._idle: list[tuple[_Kind, LastingProcess]] = []
        self._leaving: list[LastingProcess] = []
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="seqtasks-")
        return self

    def __exit__(self, *_: object) -> None:
        for process in [process for _, process in self._idle] + [one.process for one in self._running.values()]:
            self._end(process)
        for process in self._leaving:
            process.wait()
        self._idle, self._leaving = [], []
        assert self._folder is not None
        self._folder.cleanup()

    def prepare(self, runs: Path, data: Sequence[Sequence[str]], points: int | None = None) -> None:
        self._total = points
        self.jobs = self.jobs if points is None else min(self.jobs, points)
        self.shows_messages = self.jobs == 1

    @property
    def slots(self) -> int:
        return self.jobs

    def start(self, point: Point) -> None:
        """Starts a point; one without a label, such as the baselines, is not counted and has no log file."""
        log = None
        if point.label:
            self._started += 1
            log = None if self.shows_messages else log_file(point)
            if self.shows_messages:
                self.announce(f"[{self._started}/{self._total or '…'}] {point.label}")
        settings = tuple(word for word in point.words if word.startswith(PER_PROCESS))
        kind = _Kind(settings, bool(point.label) and self.jobs > 1)
        assert self._folder is not None
        handle, output = tempfile.mkstemp(dir=self._folder.name)
        os.close(handle)
        running = _Running(self._process(kind), kind, Path(output), log)
        self._running[point] = running
        running.process.submit(point.arguments(), running.output, log)

    def poll(self, seconds: float = POLL) -> list[Ended]:
        deadline = time.monotonic() + seconds
        while not (done := self._done()):
            if time.monotonic() > deadline:
                return []
            time.sleep(min(seconds, 0.02))
        self._leaving = [process for process in self._leaving if process.child.poll() is None]
        return done

    def _done(self) -> list[Ended]:
        done = []
        for point, running in list(self._running.items()):
            code = running.process.code()
            if code is None:
                continue
            if running.process.lost:  # it was killed while it was idle
                running.process = LastingProcess(self.start_process(self._environment(running.kind)))
                running.process.submit(point.arguments(), running.output, running.log)
                continue
            del self._running[point]
            if running.process.usable:
                self._idle.append((running.kind, running.process))
            else:
                self._end(running.process)
            output = running.output.read_text(encoding="utf-8", errors="replace")
            running.output.unlink()
            done.append(Ended(point, code, output, running.log))
        return done

    def stop(self, number: int, point: Point | None = None) -> None:
        for running, one in self._running.items():
            if point in (None, running):
                one.process.stop(number)

    def _process(self, kind: _Kind) -> LastingProcess:
        """An idle process for points of a kind; if there is none, a new one in place of one of another kind."""
        same = next((one for one in self._idle if one[0] == kind), None)
        if same is not None:
            self._idle.remove(same)
            return same[1]
        if len(self._running) + len(self._idle) >= self.jobs and self._idle:
            self._end(self._idle.pop(0)[1])
        return LastingProcess(self.start_process(self._environment(kind)))

    def _end(self, process: LastingProcess) -> None:
        process.end()
        self._leaving.append(process)

    def _environment(self, kind: _Kind) -> dict[str, str]:
        env = dict(os.environ)
        if kind.shares_cores:
            for name in THREADS:
                env.setdefault(name, str(max(1, cores() // self.jobs)))
        return env
