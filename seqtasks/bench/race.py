"""Interleaved timing of contenders, each in a separate process."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqtasks.bench.shapes import Shape
from seqtasks.core.errors import SeqtasksError
from seqtasks.experiments.executor import THREADS

PEAK = 2 * 1024**3  # floating-point operations of a product of two 1024 × 1024 matrices
TURN = 0.2  # minimum seconds of a turn: a single step would mostly measure how fast a core leaves its idle state


class BenchError(SeqtasksError):
    """A contender of the benchmark cannot run."""


@dataclass(frozen=True)
class Race:
    """Measurements of a benchmark.

    Attributes:
        shape: Sizes of the model and its data.
        seconds: Mean time of a step in each round, (rounds,), by contender.
        memory: Peak memory of the process in bytes, by contender.
        peak: Operations per second of a 1024 × 1024 matrix product in NumPy, the best of all rounds.
        failed: Reasons of contenders that could not run.
    """

    shape: Shape
    seconds: dict[str, np.ndarray]
    memory: dict[str, int]
    peak: float
    failed: dict[str, str]

    def ratio(self, one: str, other: str) -> tuple[float, float, float]:
        """Lower quartile, median and upper quartile over rounds of time(one) / time(other)."""
        low, middle, high = np.percentile(self.seconds[one] / self.seconds[other], [25, 50, 75])
        return float(low), float(middle), float(high)

    def speed(self, name: str) -> float:
        """Operations per second of a contender at its median time."""
        return self.shape.flops() / float(np.median(self.seconds[name]))


def race(
    shape: Shape,
    contenders: Sequence[str],
    rounds: int,
    threads: int | None = None,
    announce: Callable[[str], None] = lambda _: None,
    budget: float | None = None,
    turn: float = TURN,
) -> Race:
    """Times training steps of several contenders, which take turns in each round.

    Args:
        shape: Sizes of the model and its data.
        contenders: Names from `contenders.NAMES`.
        rounds: Maximum number of rounds.
        threads: Number of threads of each contender; None: number of cores.
        announce: Function that shows one line of progress.
        budget: Seconds of training steps after which no further round begins; at least three rounds are run.
        turn: Seconds of steps of each contender in a round; a longer step is run once.

    Returns:
        The measurements.

    Raises:
        BenchError: No contender can run.
    """
    seconds: dict[str, list[float]] = {}
    memory: dict[str, int] = {}
    failed: dict[str, str] = {}
    with ExitStack() as stack:
        workers = {}
        for name in ("peak", *contenders):
            announce(f"{name}: warming up")
            try:
                workers[name] = stack.enter_context(_worker(name, shape, threads))
            except BenchError as error:
                failed[name] = str(error)
        names = [name for name in workers if name != "peak"]
        if not names or "peak" not in workers:
            reasons = "; ".join(f"{name}: {reason}" for name, reason in failed.items())
            raise BenchError(f"no contender can run: {reasons}; name others: --contenders loop")
        peaks, spent = [], 0.0
        for number in range(rounds):
            announce(f"round {number + 1} of {rounds}")
            peaks.append(PEAK / _ask(workers["peak"], TURN)["seconds"])
            for name in names if number % 2 else reversed(names):
                answer = _ask(workers[name], turn)
                seconds.setdefault(name, []).append(answer["seconds"])
                memory[name] = answer["memory"]
                spent += answer["turn"]
            if budget is not None and spent > budget and number >= 2:
                break
    times = {name: np.array(seconds[name]) for name in names}
    return Race(shape, times, memory, max(peaks), failed)


@contextmanager
def _worker(name: str, shape: Shape, threads: int | None) -> Iterator[subprocess.Popen[str]]:
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    environment["KERAS_BACKEND"] = "jax" if name.endswith("jax") else "tensorflow"
    if threads is not None:
        environment |= dict.fromkeys((*THREADS, "OPENBLAS_NUM_THREADS"), str(threads))
    command = [sys.executable, "-m", "seqtasks.bench.worker", name, json.dumps(dataclasses.asdict(shape))]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(command, text=True, env=environment, stderr=errors, **pipes) as process,
    ):
        try:
            assert process.stdout is not None
            if not process.stdout.readline():
                errors.seek(0)
                lines = errors.read().strip().splitlines()
                raise BenchError(lines[-1] if lines else f"its process ended with exit code {process.wait()}")
            yield process
        finally:
            process.kill()


def _ask(process: subprocess.Popen[str], turn: float) -> dict[str, Any]:
    # Threads of OpenBLAS and OpenMP spin for some 20 ms after their work and would slow down the next contender.
    time.sleep(0.1)
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(f"{turn}\n")
    process.stdin.flush()
    return dict(json.loads(process.stdout.readline()))
