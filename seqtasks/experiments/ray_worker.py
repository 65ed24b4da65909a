"""Functions on the machines of a Ray cluster: check of a node, training of a point, and the actor they report to."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqtasks.core.errors import BusyRunError, Interrupted
from seqtasks.experiments.executor import THREADS, history_in, seqtasks_command

ATTEMPTS = 4  # of a point whose worker or node is lost
BEAT = 1.0  # seconds between two reports of a running point
PATIENCE = 300.0  # seconds to wait for an answer of the desk
WAIT = 60.0  # seconds in which the lock of a run must become free that a lost worker held
TAIL = 100_000  # number of characters of messages that come home
_SCRATCH = "seqtasks-point-"


@dataclass(frozen=True)
class Job:
    """A point as a worker gets it.

    Attributes:
        number: Number of the point.
        words: Command and arguments.
        options: Options of the command, without `--runs`.
        runs: Absolute path of the folder of all runs.
        token: Name of a file that the driver wrote there; a node that reads it shares the folder.
        folder: Working folder of the driver.
        env: Environment variables to set.
        threads: Number of threads of the child process.
    """

    number: int
    words: tuple[str, ...]
    options: tuple[str, ...]
    runs: str
    token: str
    folder: str
    env: dict[str, str]
    threads: int


@dataclass(frozen=True)
class Report:
    """A point that has ended on a node.

    Attributes:
        code: Exit code of its child process.
        output: Last line of standard output.
        messages: End of standard error.
        node: Ray's id of the node.
        archive: The folder of its runs as a tar file, if the folder of all runs is not shared.
    """

    code: int
    output: str
    messages: str
    node: str
    archive: bytes | None = None


class Desk:
    """Actor beside the driver: workers report to it, and learn from it that they should stop."""

    def __init__(self) -> None:
        self._attempts: list[tuple[int, str]] = []
        self._counts: dict[int, int] = {}
        self._histories: dict[int, str] = {}
        self._signals: dict[int, list[int]] = {}
        self._stopped: dict[int | None, int] = {}

    def begin(self, number: int, node: str) -> int:
        """Records that a point begins on a node.

        Returns:
            The signal that stopped it before, 0 if it should run, -1 if it was tried too often. Ray itself does not
            count the attempts that it ended because a node was short of memory.
        """
        self._counts[number] = self._counts.get(number, 0) + 1
        if self._counts[number] > ATTEMPTS:
            return -1
        stopped = self._stopped.get(number, self._stopped.get(None, 0))
        if not stopped:
            self._attempts.append((number, node))
            self._signals[number] = []
        return stopped

    def beat(self, number: int, history: str) -> list[int]:
        """Records the history of a running point.

        Returns:
            Signals to send to its child process.
        """
        self._histories[number] = history
        signals, self._signals[number] = self._signals.get(number, []), []
        return signals

    def stop(self, signal_number: int, number: int | None) -> None:
        """Stops one point or, for None, all."""
        self._stopped[number] = signal_number
        for running, signals in self._signals.items():
            if number in (None, running):
                signals.append(signal_number)

    def look(self) -> tuple[list[tuple[int, str]], dict[int, str]]:
        """The points that began since the last call with their nodes, and the histories of all points."""
        attempts, self._attempts = self._attempts, []
        return attempts, self._histories


def run_job(job: Job, desk: Any) -> Report:
    """Runs a point as a child process that ends with this worker.

    Args:
        job: The point.
        desk: Handle of the actor `Desk`.
    """
    import ray

    node = ray.get_runtime_context().get_node_id()
    stopped = _ask(desk.begin.remote(job.number, node))
    if stopped < 0:
        reason = f"its worker was lost {ATTEMPTS} times; look at the memory of the nodes, then run the command again"
        return Report(1, json.dumps({"error": reason}), "", node)
    if stopped:
        return Report(Interrupted.exit_code, "", "", node)
    with contextlib.ExitStack() as stack:
        runs = Path(job.runs)
        shared = shares(job.runs, job.token)
        if not shared:
            runs = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=f"{_SCRATCH}{os.getpid()}-")))
        deadline = time.monotonic() + WAIT
        while True:
            code, output, messages = _child(job, runs, lambda history: _ask(desk.beat.remote(job.number, history)))
            if code != BusyRunError.exit_code or time.monotonic() > deadline:
                break
            time.sleep(BEAT)  # a lost worker of an earlier attempt has not ended yet
        archive = None if shared or code else pack(runs)
        return Report(code, output, messages[-TAIL:], node, archive)


def _ask(answer: Any) -> Any:
    """The answer of the desk, by a future: in `ray.get` a task gives up its cores, and another one would start."""
    return answer.future().result(PATIENCE)


def _child(job: Job, runs: Path, beat: Any) -> tuple[int, str, str]:
    """Runs the command of a point; returns exit code, last line of its output, and messages."""
    command = seqtasks_command(*job.words, "--runs", str(runs), *job.options)
    bound = [sys.executable, "-P", "-m", "seqtasks.experiments.bound_child", str(os.getpid()), *command]
    env = {**os.environ, **job.env, **dict.fromkeys(THREADS, str(job.threads))}
    folder = job.folder if Path(job.folder).is_dir() else None
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as messages:
        child = subprocess.Popen(
            bound, env=env, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=messages, start_new_session=True
        )
        try:
            while True:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    child.wait(BEAT)
                    break
                for number in beat(history_in(runs)):
                    child.send_signal(number)
        finally:
            if child.poll() is None:
                child.send_signal(signal.SIGKILL)
                child.wait()
        texts = []
        for file in (output, messages):
            file.seek(0)
            texts.append(file.read().decode("utf-8", "replace"))
    return child.returncode, (texts[0].strip().splitlines() or [""])[-1], texts[1]


def examine(data: Sequence[Sequence[str]], runs: str, token: str, folder: str, env: dict[str, str]) -> dict[str, Any]:
    """Facts about a node: whether it shares the folder of all runs, free space, data and versions.

    Args:
        data: For each data set, the arguments of `seqtasks show` that name it.
        runs: Absolute path of the folder of all runs.
        token: Name of a file that the driver wrote there; its text is the name.
        folder: Working folder of the driver.
        env: Environment variables to set.

    Returns:
        `shared`, `free` (bytes), `error` (text; empty if there is none), and `data`, what `show --json` printed.
    """
    shared = shares(runs, token)
    remove_scratch()
    free = shutil.disk_usage(runs if shared else tempfile.gettempdir()).free
    facts: dict[str, Any] = {"shared": shared, "free": free, "error": "", "data": []}
    for words in data:
        process = subprocess.run(
            seqtasks_command("show", *words, "--json"),
            env={**os.environ, **env},
            cwd=folder if Path(folder).is_dir() else None,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
        )
        answer = (process.stdout.strip().splitlines() or [""])[-1]
        if process.returncode:
            lines = process.stderr.strip().splitlines() or [f"exit code {process.returncode}"]
            with contextlib.suppress(ValueError, KeyError, TypeError):
                lines = [json.loads(answer)["error"]]
            return facts | {"error": lines[-1]}
        facts["data"].append(json.loads(answer))
    return facts


def shares(runs: str, token: str) -> bool:
    """Whether this node sees the driver's folder of all runs.

    Args:
        runs: Absolute path of the folder.
        token: Name and text of a file that the driver wrote there.
    """
    with contextlib.suppress(OSError):
        return (Path(runs) / token).read_text(encoding="utf-8") == token
    return False


def remove_scratch() -> None:
    """Removes the folders that workers of this node left behind when they were killed."""
    for path in Path(tempfile.gettempdir()).glob(f"{_SCRATCH}*"):
        process = path.name.removeprefix(_SCRATCH).partition("-")[0]
        if process.isdigit() and not Path(f"/proc/{process}").exists():
            shutil.rmtree(path, ignore_errors=True)


def pack(runs: Path) -> bytes:
    """The run folders of a point as a tar file, without locks and temporary files."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for path in sorted(runs.iterdir()):
            if (path / "run.json").is_file():
                archive.add(path, path.name, filter=lambda item: None if "/." in item.name else item)
    return file.getvalue()


def unpack(archive: bytes, runs: Path) -> list[Path]:
    """Unpacks run folders; each appears at once, under its name, when all its files are on the disk.

    A finished run that exists is kept, and an unfinished one is replaced.

    Args:
        archive: Result of `pack`.
        runs: Folder of all runs.

    Returns:
        The folders that were written.
    """
    arrived = []
    with tempfile.TemporaryDirectory(prefix=".incoming-", dir=runs) as name:
        incoming = Path(name)
        with tarfile.open(fileobj=io.BytesIO(archive)) as file:
            file.extractall(incoming / "new", filter="data")
        for path in sorted((incoming / "new").iterdir()):
            target = runs / path.name
            if (target / "result.json").is_file():
                continue
            if target.exists():
                target.rename(incoming / path.name)
            path.rename(target)
            arrived.append(target)
    return arrived
