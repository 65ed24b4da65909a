"""Process of one contender: `python -m seqtasks.bench.worker CONTENDER SHAPE`."""

from __future__ import annotations

import ctypes
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from seqtasks.bench.shapes import Shape

WARM_UP = 3  # number of untimed first steps, which trace and compile


def product(size: int = 1024) -> Callable[[], None]:
    """A function that multiplies two matrices, to measure the peak speed of the machine."""
    import numpy as np

    a = np.random.default_rng(0).normal(size=(size, size)).astype("float32")
    return lambda: np.matmul(a, a)


def main(name: str, shape: str) -> None:
    """Runs the step for the seconds of each input line; prints mean time and peak memory.

    Args:
        name: Name of the contender, or "peak" for a matrix product.
        shape: Fields of the `Shape` as JSON.
    """
    from seqtasks.bench.contenders import step_of

    out, sys.stdout = sys.stdout, sys.stderr  # libraries may print
    fields = json.loads(shape)
    step = product() if name == "peak" else step_of(name, Shape(**{**fields, "lengths": tuple(fields["lengths"])}))
    for _ in range(WARM_UP):
        step()
    print(json.dumps({"ready": name}), file=out, flush=True)
    for turn in map(float, sys.stdin):
        step()  # untimed: refills the caches, which hold data of the other contenders
        begin, count, seconds = time.perf_counter(), 0, 0.0
        while not count or seconds < turn:
            step()
            count, seconds = count + 1, time.perf_counter() - begin
        print(json.dumps({"seconds": seconds / count, "turn": seconds, "memory": peak_memory()}), file=out, flush=True)


def peak_memory() -> int:
    """Peak memory of this process in bytes."""
    status = Path("/proc/self/status")
    if status.is_file():  # on Linux, getrusage returns at least the memory of the parent process
        return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM")) * 1024
    if sys.platform == "win32":
        return _peak_on_windows()
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _peak_on_windows() -> int:
    """`PeakWorkingSetSize` of this process, from the Windows API."""
    sizes = [(f"size{i}", ctypes.c_size_t) for i in range(8)]  # the first is the peak
    fields = [("cb", ctypes.c_uint32), ("page_faults", ctypes.c_uint32), *sizes]
    counters = type("Counters", (ctypes.Structure,), {"_fields_": fields})()
    counters.cb = ctypes.sizeof(counters)
    kernel32 = ctypes.WinDLL("kernel32")  # type: ignore[attr-defined,unused-ignore]
    kernel32.GetCurrentProcess.restype = ctypes.c_void_p
    process = ctypes.c_void_p(kernel32.GetCurrentProcess())
    kernel32.K32GetProcessMemoryInfo(process, ctypes.byref(counters), counters.cb)
    return int(counters.size0)


if __name__ == "__main__":
    main(*sys.argv[1:])
