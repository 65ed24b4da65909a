"""One contender in its own process: `python -m seqtasks.bench.worker CONTENDER SHAPE`."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

from seqtasks.bench.shapes import Shape

WARM_UP = 3  # steps that trace and compile


def product(size: int = 1024) -> Callable[[], None]:
    """A matrix product, for what the machine can do at best."""
    import numpy as np

    a = np.random.default_rng(0).normal(size=(size, size)).astype("float32")
    return lambda: np.matmul(a, a)


def main(name: str, shape: str) -> None:
    """Makes the step, runs it for as many seconds as a line says, answers with its mean time and the peak memory."""
    from seqtasks.bench.contenders import step_of

    out, sys.stdout = sys.stdout, sys.stderr  # libraries may print
    fields = json.loads(shape)
    step = product() if name == "peak" else step_of(name, Shape(**{**fields, "lengths": tuple(fields["lengths"])}))
    for _ in range(WARM_UP):
        step()
    print(json.dumps({"ready": name}), file=out, flush=True)
    for turn in map(float, sys.stdin):
        step()  # the caches are full of what the others did
        begin, count, seconds = time.perf_counter(), 0, 0.0
        while seconds < turn:
            step()
            count, seconds = count + 1, time.perf_counter() - begin
        print(json.dumps({"seconds": seconds / count, "turn": seconds, "memory": peak_memory()}), file=out, flush=True)


def peak_memory() -> int:
    """The most bytes that this process held."""
    status = Path("/proc/self/status")
    if status.is_file():  # what getrusage tells there is at least what the parent held
        return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM")) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    main(*sys.argv[1:])
