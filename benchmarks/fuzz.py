"""Gives damaged files to every reader: each must answer or raise one line within 2 s and 500 MB.

    python benchmarks/fuzz.py
    python benchmarks/fuzz.py --readers wav,yaml --inputs 2000 --minutes 1 --seed 7 --keep broken

Inputs are drawn by Hypothesis: valid files with a few changes, see `fuzz_inputs.py`. A reader is done after that many
inputs or minutes, whichever is first. Prints a line for each reader: inputs, accepted ones, the slowest, and each
distinct fault with its smallest input, which `--keep` writes into a folder. A fault is an exception that is no
`SeqtasksError`, a warning of Python, a log message of several lines, 2 s of processor time, or memory above the limit.
The exit code is 1 if there is one. Linux and macOS; needs the extra `test`.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from fuzz_inputs import Files, files
from fuzz_readers import Reader, readers
from hypothesis import HealthCheck, Phase, given, seed, settings

SECONDS = 2.0  # of processor time an input
WAITING = 60.0  # of the clock, as machines are shared
MEGABYTES = 500
MEMORY_FOLDER = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: PTH112
HANG = 120  # seconds of the clock after which the process ends with its stacks printed, even inside C code


class TooSlow(BaseException):  # so that no reader catches it
    """The input took too long."""


class TimeIsOver(BaseException):  # so that Hypothesis stops, which would go on to draw inputs
    """No more inputs are tried."""


@dataclass
class Report:
    """Result of a reader on damaged inputs.

    Attributes:
        inputs: Number of inputs.
        accepted: Number of inputs that were read without an error.
        slowest: Seconds of processor time of the slowest input.
        faults: The smallest input of each fault, by what happened.
        traces: Tracebacks of the faults.
    """

    inputs: int = 0
    accepted: int = 0
    slowest: float = 0.0
    faults: dict[str, Files] = field(default_factory=dict)
    traces: dict[str, str] = field(default_factory=dict)


@contextlib.contextmanager
def limits() -> Iterator[None]:
    """Limits the processor time and the additional memory of the body, in the main thread.

    Raises:
        TooSlow: The body takes longer.
        MemoryError: It needs more memory.
    """

    def stop(number: int, frame: object) -> None:
        raise TooSlow(f"more than {SECONDS:g} s" if number == signal.SIGPROF else f"{WAITING:g} s of waiting")

    pages = int(Path("/proc/self/statm").read_text().split()[0]) if sys.platform == "linux" else 0
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    if pages:
        resource.setrlimit(resource.RLIMIT_AS, (pages * os.sysconf("SC_PAGE_SIZE") + MEGABYTES * 1_000_000, hard))
    before = {number: signal.signal(number, stop) for number in (signal.SIGPROF, signal.SIGALRM)}
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    signal.setitimer(signal.ITIMER_REAL, WAITING)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


class _Messages(logging.Handler):
    """Formats each log message, as a real handler does."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


def fault_of(reader: Reader, folder: Path, report: Report) -> tuple[str, str] | None:
    """Reads the input in a folder; returns what went wrong and its traceback, None if nothing did."""
    from seqtasks.core.errors import SeqtasksError

    messages, logger = _Messages(), logging.getLogger("seqtasks")
    logger.handlers, logger.propagate = [messages], False
    began = time.process_time()
    try:
        with warnings.catch_warnings(record=True) as noise, limits():
            warnings.simplefilter("always")
            warnings.simplefilter("ignore", ResourceWarning)  # as Python does; NumPy leaves damaged files open
            reader.read(folder)
        report.accepted += 1
    except SeqtasksError as error:
        if not str(error).strip():  # the command line cuts messages that are too long
            return f"an empty message: {_place(error)}", ""
    except (Exception, TooSlow) as error:
        return f"{type(error).__name__}: {_place(error)}", "".join(traceback.format_exception(error))
    finally:
        logger.handlers, logger.propagate = [], True
        report.slowest = max(report.slowest, time.process_time() - began)
    if noise:
        place = f"{Path(noise[0].filename).name}:{noise[0].lineno}"
        return f"{noise[0].category.__name__}: {place}", str(noise[0].message)
    if long := [text for text in messages.texts if len(text) > 5000]:
        return f"a log message of {len(long[0])} characters", long[0][:2000]
    return None


def _place(error: BaseException) -> str:
    """The innermost line of seqtasks in a traceback, and the innermost of all."""
    frames = traceback.extract_tb(error.__traceback__)
    inside = [frame for frame in frames if f"{os.sep}seqtasks{os.sep}" in frame.filename] or frames
    return ", ".join(dict.fromkeys(f"{Path(frame.filename).name}:{frame.lineno}" for frame in (inside[-1], frames[-1])))


def fuzz(reader: Reader, inputs: int, minutes: float = 5.0, number: int = 0) -> Report:
    """Gives damaged inputs to a reader.

    Args:
        reader: The reader.
        inputs: Number of inputs.
        minutes: Time after which no more are drawn.
        number: Seed of the inputs.
    """
    report = Report()
    cache = os.environ.get("SEQTASKS_CACHE")
    for drawn in reader.seeds:  # imports what the reader needs, outside the limits
        with written(drawn) as folder:
            reader.read(folder)
    until = time.monotonic() + 60 * minutes

    @seed(number)
    @settings(
        max_examples=inputs, database=None, deadline=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(files(reader.seeds, reader.pieces, reader.separator))
    def one(drawn: Files) -> None:
        if time.monotonic() > until:
            raise TimeIsOver
        with written(drawn) as folder:
            report.inputs += 1
            fault = fault_of(reader, folder, report)
        if fault is not None:
            what, trace = fault
            smallest = report.faults.get(what)
            if smallest is None or _size(drawn) < _size(smallest):
                report.faults[what], report.traces[what] = drawn, trace

    try:
        with contextlib.suppress(TimeIsOver):
            one()
    finally:
        os.environ.pop("SEQTASKS_CACHE", None)
        if cache is not None:
            os.environ["SEQTASKS_CACHE"] = cache
    return report


@contextlib.contextmanager
def written(drawn: Files) -> Iterator[Path]:
    """A folder with the files of an input, and a cache of its own beside it; both are removed."""
    with tempfile.TemporaryDirectory(dir=MEMORY_FOLDER) as name:
        os.environ["SEQTASKS_CACHE"] = str(Path(name, "cache"))
        folder = Path(name, "run")
        folder.mkdir()
        for file, data in drawn.items():
            (folder / file).write_bytes(data)
        yield folder


def _size(drawn: Files) -> int:
    return sum(map(len, drawn.values()))


def main() -> None:
    import faulthandler

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--readers", help="names, separated by commas; default: all")
    parser.add_argument("--inputs", type=int, default=10_000, help="inputs of each reader, at most")
    parser.add_argument("--minutes", type=float, default=5.0, help="minutes of each reader, at most")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="folder for the inputs of faults")
    options = parser.parse_args()
    known = {reader.name: reader for reader in readers()}
    names = options.readers.split(",") if options.readers else list(known)
    if unknown := [name for name in names if name not in known]:
        parser.error(f"unknown reader {unknown[0]!r}; allowed: {', '.join(known)}")
    os.environ.setdefault("KERAS_BACKEND", "numpy")  # readers compute nothing; TensorFlow takes seconds to import
    failed = False
    for name in names:
        faulthandler.dump_traceback_later(60 * options.minutes + HANG, exit=True)
        began = time.monotonic()
        report = fuzz(known[name], options.inputs, options.minutes, options.seed)
        print(
            f"{name:12} {report.inputs:6,} inputs in {time.monotonic() - began:4.0f} s, {report.accepted:6,} accepted, "
            f"slowest {report.slowest:.2f} s, {len(report.faults)} faults",
            flush=True,
        )
        for i, (what, drawn) in enumerate(report.faults.items()):
            print(f"  {what}")
            failed = True
            if options.keep is not None:
                folder = options.keep / f"{name}-{i}"
                folder.mkdir(parents=True, exist_ok=True)
                (folder / "traceback.txt").write_text(f"{what}\n{report.traces[what]}", "utf-8", "backslashreplace")
                for file, data in drawn.items():
                    (folder / file).write_bytes(data)
    faulthandler.cancel_dump_traceback_later()
    sys.exit(failed)


if __name__ == "__main__":
    main()
