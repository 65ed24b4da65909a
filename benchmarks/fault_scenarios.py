"""Faults other than `kill -9` for `faults.py`: disks, signals, clocks, memory, processes that disturb each other.

Each function strikes a run, checks that it ends with one line and that nothing looks finished that is not, and that the
same command then gives the result of an undisturbed run. It returns a note and a list of what is wrong.
"""

from __future__ import annotations

import errno
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from faults import Child, Laboratory, half_written, outcome

TASK = "adding"
BUSY = 75  # exit code where another process trains in the run folder
Outcome = tuple[str, list[str]]


def _after(laboratory: Laboratory, runs: Path, child: Child, codes: tuple[int, ...], text: str) -> list[str]:
    """Returns the faults of a child that was disturbed: exit code, message, traceback, partial files, resumed run."""
    code, wrong = child.wait(), []
    if code not in codes:
        wrong.append(f"exit code {code}, expected {codes}: {child.text[-300:]}")
    if text not in child.message:
        wrong.append(f"message {child.message!r}, expected {text!r}")
    if "Traceback" in child.text:
        wrong.append(f"a traceback: {child.text[-500:]}")
    return wrong + half_written(runs) + _resumed(laboratory, runs)


def _resumed(laboratory: Laboratory, runs: Path) -> list[str]:
    child = laboratory.run(TASK, runs)
    if child.wait():
        return [f"the same command failed: {child.text[-300:]}"]
    return [] if outcome(runs) == laboratory.reference(TASK)[0] else ["the resumed run differs"]


def _until(child: Child, test: Callable[[], bool], seconds: float = 300) -> bool:
    """Waits until a condition holds; false if the child ended, or the time is over."""
    until = time.monotonic() + seconds
    while not test():
        if child.ended() or time.monotonic() > until:
            return False
        time.sleep(0.002)
    return True


def _mounted(laboratory: Laboratory, options: str, then: str) -> Outcome:
    """Trains on a small file system of its own, and again after a command has changed it."""
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode:
        return "not tried: unshare is refused", []
    laboratory.reference(TASK)
    folder = laboratory.new_folder()
    folder.mkdir()
    saved = laboratory.new_folder()
    wrong: list[str] = []
    pid = os.fork()
    if not pid:  # a child with mounts of its own; its exit code is the number of faults
        try:
            uid, gid = os.getuid(), os.getgid()
            os.unshare(os.CLONE_NEWUSER | os.CLONE_NEWNS) if hasattr(os, "unshare") else _unshare()
            for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
                Path("/proc/self", name).write_text(text)
            subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)
            child = laboratory.run(TASK, folder)
            code = child.wait()
            if code != 2 or "cannot write" not in child.message:
                wrong.append(f"exit code {code}: {child.text[-300:]}")
            wrong += half_written(folder)
            subprocess.run(["mount", "-o", f"remount,{then}", str(folder)], check=True)
            wrong += _resumed(laboratory, folder)
            print("\n".join(wrong), flush=True) if wrong else None
        except BaseException as error:
            print(f"{type(error).__name__}: {error}", flush=True)
            wrong.append(str(error))
        os._exit(min(len(wrong), 100))
    count = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    shutil.rmtree(saved, ignore_errors=True)
    return "", [f"{count} faults, printed above"] if count else []


def _unshare() -> None:
    import ctypes

    if ctypes.CDLL(None, use_errno=True).unshare(0x10000000 | 0x00020000):  # CLONE_NEWUSER, CLONE_NEWNS
        raise OSError(ctypes.get_errno(), "unshare")


def full_disk(laboratory: Laboratory) -> Outcome:
    """A disk that is full in the middle of training, and has space again."""
    return _mounted(laboratory, "size=28k", "size=100m")


def no_inodes(laboratory: Laboratory) -> Outcome:
    """A file system that has no inode left."""
    return _mounted(laboratory, "nr_inodes=6", "nr_inodes=1000")


def read_only(laboratory: Laboratory) -> Outcome:
    """A folder that cannot be written."""
    return _mounted(laboratory, "ro", "rw")


def large_file(laboratory: Laboratory) -> Outcome:
    """A limit of the size of files: what a full disk is where no file system can be mounted."""
    laboratory.reference(TASK)
    runs = laboratory.new_folder()
    child = laboratory.run(TASK, runs, prepare=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000)))
    return "", _after(laboratory, runs, child, (2,), "cannot write")


def _signal(number: int) -> Callable[[Laboratory], Outcome]:
    def strike(laboratory: Laboratory) -> Outcome:
        laboratory.reference(TASK)
        runs = laboratory.new_folder()
        child = laboratory.run(TASK, runs)
        reached = _until(child, lambda: any(runs.glob("*/checkpoint.npz")))
        child.send(number)
        wrong = _after(laboratory, runs, child, (130,), "continue with: seqtasks resume")
        return "" if reached else "the run ended before", wrong

    strike.__doc__ = f"{signal.Signals(number).name} in training."
    return strike


def nohup(laboratory: Laboratory) -> Outcome:
    """SIGHUP where it is ignored."""
    whole, _ = laboratory.reference(TASK)
    runs = laboratory.new_folder()
    child = laboratory.run(TASK, runs, prepare=lambda: void(signal.signal(signal.SIGHUP, signal.SIG_IGN)))
    _until(child, lambda: any(runs.glob("*/status.json")))
    child.send(signal.SIGHUP)
    code = child.wait()
    return "", [] if (code, outcome(runs)) == (0, whole) else [f"exit code {code}: {child.text[-300:]}"]


def validation(laboratory: Laboratory) -> Outcome:
    """Ctrl-C in a validation of 40 seconds is heard at once."""
    runs = laboratory.new_folder()
    marker = laboratory.folder / "validating"

    def slow() -> None:
        from seqtasks.data.batches import ArrayBatches

        read = ArrayBatches.__getitem__

        def reading(self: ArrayBatches, index: int) -> object:
            if len(self.examples) < 400 and not self.shuffle:
                marker.touch()
                time.sleep(0.1)
            return read(self, index)

        ArrayBatches.__getitem__ = reading  # type: ignore[method-assign,assignment]

    more = ("train.eval_batch_size=1", "data.limit=399")
    child = laboratory.run(TASK, runs, *more, prepare=slow)
    reached = _until(child, marker.exists)
    time.sleep(0.5)
    began = time.monotonic()
    child.send(signal.SIGINT)
    code, seconds = child.wait(), time.monotonic() - began
    wrong = [] if (code, reached) == (130, True) else [f"exit code {code}: {child.text[-300:]}"]
    if (
        "in the validation of epoch 1 and saved; continue with" not in child.message or seconds > 8
    ):  # of 40; machines are shared
        wrong.append(f"{seconds:.1f} s, {child.message!r}")
    resumed, undisturbed = laboratory.run(TASK, runs, *more), laboratory.new_folder()
    laboratory.run(TASK, undisturbed, *more).wait()
    if resumed.wait() or outcome(runs) != outcome(undisturbed):
        wrong.append("the resumed run differs")
    return f"heard after {seconds:.1f} s", wrong + half_written(runs)


def imports(laboratory: Laboratory) -> Outcome:
    """Ctrl-C at six moments of the start, in a process that imports all by itself."""
    wrong, codes = [], []
    words = ["run", TASK, "data.source=builtin", "--runs", str(laboratory.new_folder())]
    for _ in range(6):
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", "seqtasks", *words],
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        time.sleep(float(laboratory.rng.uniform(0.3, 6)))
        child.send_signal(signal.SIGINT)
        _, text = child.communicate(timeout=120)
        codes.append(child.returncode)
        # Before Python has started it ends with a traceback of its own. Where the signal left code that a library runs
        # by `exec`, Python ends by SIGINT after our message, which shells show as 130, too.
        ours = f"{os.sep}seqtasks{os.sep}" in text or "Traceback" not in text
        if ours and (child.returncode not in (130, -signal.SIGINT) or "Traceback" in text):
            wrong.append(f"exit code {child.returncode}: {text[-300:]}")
    return f"exit codes {codes}", wrong


def clock(laboratory: Laboratory) -> Outcome:
    """A clock that is set back by an hour while a run trains."""
    whole, _ = laboratory.reference(TASK)
    runs = laboratory.new_folder()

    def back() -> None:
        now, calls = time.time, iter(range(10**9))
        time.time = lambda: now() - (3600 if next(calls) > 20 else 0)

    code = (child := laboratory.run(TASK, runs, prepare=back)).wait()
    wrong = [] if (code, outcome(runs)) == (0, whole) else [f"exit code {code}: {child.text[-300:]}"]
    return "", wrong + half_written(runs)


def no_locks(laboratory: Laboratory) -> Outcome:
    """A file system without `flock`."""
    whole, _ = laboratory.reference(TASK)
    runs = laboratory.new_folder()

    def without() -> None:
        import fcntl

        def refuse(*_: object) -> None:
            raise OSError(errno.ENOLCK, "No locks available")

        fcntl.flock = refuse

    code = (child := laboratory.run(TASK, runs, prepare=without)).wait()
    wrong = [] if (code, outcome(runs)) == (0, whole) else [f"exit code {code}: {child.text[-300:]}"]
    if "has no locks; do not start the same run twice" not in child.text:
        wrong.append(f"no warning: {child.text[-300:]}")
    return "", wrong


def memory(laboratory: Laboratory) -> Outcome:
    """Too little memory for the model."""
    runs = laboratory.new_folder()

    def limit() -> None:
        pages = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        resource.setrlimit(resource.RLIMIT_AS, (pages + 900_000_000, -1))

    child = laboratory.run(TASK, runs, "encoder.units=12000", prepare=limit)
    code = child.wait()
    wrong = half_written(runs) + (["a result"] if outcome(runs) is not None else [])
    if code == 0 or "Traceback" in child.text:
        wrong.append(f"exit code {code}: {child.text[-400:]}")
    return f"exit code {code}: {child.message[:60] or 'ended by the C++ library'}", wrong


def twice(laboratory: Laboratory) -> Outcome:
    """The same run started twice at once."""
    whole, _ = laboratory.reference(TASK)
    runs = laboratory.new_folder()
    children = [laboratory.run(TASK, runs) for _ in range(2)]
    codes = sorted(child.wait() for child in children)
    wrong = [] if codes in ([0, 0], [0, BUSY]) else [f"exit codes {codes}: {children[0].text[-200:]}"]
    if codes == [0, BUSY] and not any("another process is training in" in child.message for child in children):
        wrong.append(f"messages {[child.message for child in children]}")
    if outcome(runs) != whole:
        wrong.append("the result differs")
    return f"exit codes {codes}", wrong + half_written(runs)


def compares(laboratory: Laboratory, count: int = 10) -> Outcome:
    """Ten `compare` at once on one folder."""
    from seqtasks.experiments import results

    runs = laboratory.new_folder()
    words = ["compare", TASK, "data.source=builtin", "data.limit=200", "data.limit_test=100", "options.length=12",
             "train.epochs=1", "encoder.units=4", "seed=0,1", "--no-baseline", "--runs", str(runs)]  # fmt: skip
    children = [laboratory.start(*words) for _ in range(count)]
    codes = [child.wait(900) for child in children]
    last = laboratory.start(*words)
    wrong = [] if last.wait(900) == 0 else [f"afterwards: {last.text[-300:]}"]
    wrong += [f"a traceback: {child.text[-300:]}" for child in children if "Traceback" in child.text]
    rows = results.rows(runs)
    if sorted(row.seed for row in rows) != [0, 1] or set(codes) - {0, 2}:
        wrong.append(f"exit codes {codes}, rows of seeds {[row.seed for row in rows]}")
    return f"exit codes {codes}", wrong + half_written(runs)


def moved_folder(laboratory: Laboratory) -> Outcome:
    """The folder of all runs moved away while a run trains."""
    laboratory.reference(TASK)
    runs, target = laboratory.new_folder(), laboratory.new_folder()
    child = laboratory.run(TASK, runs)
    _until(child, lambda: any(runs.glob("*/checkpoint.npz")))
    runs.rename(target)
    return "", _after(laboratory, target, child, (2,), "cannot write")


def void(_: object) -> None:
    """Nothing, for functions that return something."""


SCENARIOS: dict[str, Callable[[Laboratory], Outcome]] = {
    "full_disk": full_disk,
    "no_inodes": no_inodes,
    "read_only": read_only,
    "large_file": large_file,
    "sigint": _signal(signal.SIGINT),
    "sigterm": _signal(signal.SIGTERM),
    "sighup": _signal(signal.SIGHUP),
    "nohup": nohup,
    "validation": validation,
    "imports": imports,
    "clock": clock,
    "no_locks": no_locks,
    "memory": memory,
    "twice": twice,
    "compares": compares,
    "moved_folder": moved_folder,
}
