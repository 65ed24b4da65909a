"""Starts the processes of a run with `train.processes` above 1, or joins those that were started by hand or by Slurm.

Environment variables of a process that was started by hand:

SEQTASKS_COORDINATOR  host:port of the first process, the same in all processes
SEQTASKS_PROCESS      number of the process, from 0; the first one reports and writes

Importing this module does not import Keras.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from seqtasks.core import keras_import
from seqtasks.core.config import TrainConfig
from seqtasks.core.environment import LAUNCHED, cores
from seqtasks.core.errors import ConfigError, Interrupted, RunError
from seqtasks.experiments.bound_child import PR_SET_PDEATHSIG
from seqtasks.experiments.executor import THREADS, Signals, seqtasks_command
from seqtasks.experiments.results import Row, from_json

if TYPE_CHECKING:
    from seqtasks.engines.backend.process_group import ProcessGroup

COORDINATOR, PROCESS = "SEQTASKS_COORDINATOR", "SEQTASKS_PROCESS"
SLURM = ("SLURM_JOB_ID", "SLURM_STEP_NODELIST", "SLURM_STEP_NUM_TASKS", "SLURM_PROCID")  # set by srun
GRACE = 20.0  # seconds that the others have to end by themselves after one process has failed
_groups: list[ProcessGroup] = []  # the group of this process, at most one


def start(count: int, words: Sequence[str]) -> tuple[Row, bool] | None:
    """Runs a command in several processes, unless this is one of them or one is enough.

    Args:
        count: Setting `train.processes`.
        words: The command with its arguments, after `seqtasks`.

    Returns:
        The result row of the command, and whether its run was finished before; None: this process has joined the group
        if there is one, and executes the command itself.

    Raises:
        ConfigError: Another backend than JAX, or wrong environment variables.
        RunError: A process failed.
        Interrupted: All processes were stopped.
    """
    member = membership(os.environ, count)
    if count == 1:
        return None
    check_backend(count)
    if member is None:
        return launch(words, count)
    if not _groups:
        keras_import.import_keras()
        from seqtasks.engines.backend.process_group import ProcessGroup

        _end_with_parent()
        address, rank = member
        _groups.append(ProcessGroup(address, count, rank))
        sys.excepthook = _leave_after_traceback
    return None


def is_follower() -> bool:
    """Whether this process belongs to a group of which another process is the first, which alone reports."""
    return bool(_groups) and not _groups[0].first


def leave(code: int) -> None:
    """Ends this process at once if it belongs to a group.

    At a usual end JAX waits for all processes of the group, which after an error would be forever.

    Args:
        code: Exit code.
    """
    if _groups:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _end_with_parent() -> None:
    """Sends SIGTERM to this process if the one that launched it is killed, so that it saves and stops; on Linux."""
    if LAUNCHED in os.environ and sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _leave_after_traceback(*error: Any) -> None:
    sys.__excepthook__(*error)
    leave(1)


def group_of(train: TrainConfig) -> ProcessGroup | None:
    """The processes that train a run together; None: this process alone.

    Args:
        train: Settings of the run.

    Raises:
        ConfigError: The number of processes is not that of the group.
    """
    if train.processes == 1:  # also a run that is trained before another, for its initial weights
        return None
    check_backend(train.processes)
    count = _groups[0].count if _groups else 1
    if count != train.processes:
        raise ConfigError(
            f"train.processes is {train.processes}, but {count} process{'es' * (count > 1)} began this run; allowed: "
            "one number in all processes, not from a section for a source or size; pass train.processes="
            f"{train.processes} to seqtasks run"
        )
    return _groups[0]


def check_backend(count: int) -> None:
    """Checks that the backend can train in several processes.

    Raises:
        ConfigError: It cannot.
    """
    name = keras_import.backend_name()
    if name != "jax":
        raise ConfigError(
            f"train.processes is {count} with the Keras backend {name}; allowed: 1, as Keras trains in several "
            "processes under JAX only; set KERAS_BACKEND=jax (pip install 'seqtasks[jax]'), or train.processes=1"
        )


def membership(environment: Mapping[str, str], count: int) -> tuple[str, int] | None:
    """Address of the first process and number of this one, if the environment has them.

    Args:
        environment: Environment variables.
        count: Setting `train.processes`.

    Raises:
        ConfigError: Variables that are incomplete, or that belong to another number of processes.

    Example:
        >>> membership({"SEQTASKS_COORDINATOR": "node1:5000", "SEQTASKS_PROCESS": "1"}, 2)
        ('node1:5000', 1)
    """
    given = {name: environment.get(name, "") for name in (COORDINATOR, PROCESS)}
    if any(given.values()):
        host, _, port = given[COORDINATOR].rpartition(":")
        rank = int(given[PROCESS]) if given[PROCESS].isdigit() else -1
        if not (host and port.isdigit() and 0 <= rank < count):
            raise ConfigError(
                f"{COORDINATOR}={given[COORDINATOR]!r} and {PROCESS}={given[PROCESS]!r} with train.processes={count}; "
                f"allowed: host:port, and a number below train.processes; set both in every process, or neither"
            )
        return given[COORDINATOR], rank
    if count > 1 and all(name in environment for name in SLURM):
        tasks = environment["SLURM_STEP_NUM_TASKS"]
        if tasks != str(count):
            raise ConfigError(
                f"train.processes is {count}, but srun started {tasks} tasks; allowed: equal numbers; use srun "
                f"--ntasks={count}, or set train.processes={tasks}"
            )
        host = first_host(environment["SLURM_STEP_NODELIST"])
        # One port for all tasks of a job, of those that systems leave free.
        return f"{host}:{61440 + int(environment['SLURM_JOB_ID']) % 4096}", int(environment["SLURM_PROCID"])
    return None


def first_host(nodes: str) -> str:
    """First host of a list of Slurm.

    Example:
        >>> first_host("gpu[03-05,9],cpu1"), first_host("node1,node2")
        ('gpu03', 'node1')
    """
    name, bracket, numbers = nodes.partition("[")
    if not bracket or "," in name:
        return name.partition(",")[0]
    return name + numbers.partition("]")[0].partition(",")[0].partition("-")[0]


@dataclass
class _Child:
    """A process of the run, with what it prints."""

    process: subprocess.Popen[bytes]
    output: IO[bytes]
    errors: IO[bytes] | None

    def text(self, file: IO[bytes] | None) -> str:
        if file is None:
            return ""
        file.seek(0)
        return file.read().decode("utf-8", "replace").strip()

    def message(self) -> str:
        """Error message of the failed process."""
        with contextlib.suppress(ValueError, TypeError, KeyError):
            return str(json.loads(self.text(self.output).splitlines()[-1])["error"])
        with contextlib.suppress(IndexError):
            return self.text(self.errors).splitlines()[-1].strip()
        code = self.process.returncode
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}; its message is above"


def _wait(children: Sequence[_Child], signals: Signals) -> tuple[_Child | None, bool]:
    """Waits until all processes have ended, and passes signals on to them.

    Returns:
        The process that failed first, None if none failed; and whether a signal was passed on.
    """
    failed: _Child | None = None
    until, stopped = float("inf"), False
    while any(child.process.poll() is None for child in children) and time.monotonic() < until:
        for number in signals.take():
            stopped = True
            for child in children:
                child.process.send_signal(number)
        time.sleep(0.05)
        if failed is None:
            failed = next((child for child in children if child.process.poll()), None)
            until = float("inf") if failed is None else time.monotonic() + GRACE
    return failed or next((child for child in children if child.process.returncode), None), stopped


def launch(words: Sequence[str], count: int) -> tuple[Row, bool]:
    """Runs a command in several processes on this machine, which train one model together.

    Each gets an equal share of the cores. Ctrl-C and SIGTERM are passed on to all. If one fails, the others are ended.

    Args:
        words: The command with its arguments, after `seqtasks`.
        count: Number of processes.

    Returns:
        The result row, and whether the run was finished before.

    Raises:
        RunError: A process failed.
        Interrupted: All processes were stopped.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with Signals() as signals, contextlib.ExitStack() as files:
        children: list[_Child] = []
        try:
            for rank in range(count):
                output = files.enter_context(tempfile.TemporaryFile())
                errors = files.enter_context(tempfile.TemporaryFile()) if rank else None
                environment = {COORDINATOR: address, PROCESS: str(rank), LAUNCHED: "1"}
                process = subprocess.Popen(
                    seqtasks_command(*words, "--json"),
                    env={**os.environ, **_share_of_cores(count), **environment},
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=errors,  # that of this process for the first one, which reports
                    process_group=0 if os.name == "posix" else None,
                )
                children.append(_Child(process, output, errors))
            failed, stopped = _wait(children, signals)
        finally:
            for child in children:
                if child.process.poll() is None:
                    child.process.kill()
                child.process.wait()
        first = children[0]
        if failed is None:
            line = first.text(first.output).splitlines()[-1]
            return from_json(line), json.loads(line).get("skipped") is True
        if stopped or first.process.returncode == Interrupted.exit_code:
            raise Interrupted(first.message())
        reason = failed.message().removeprefix("seqtasks: ")
        raise RunError(reason if failed is first else f"process {children.index(failed)} of {count} failed: {reason}")


def _share_of_cores(count: int) -> dict[str, str]:
    """Environment variables that give each of several processes an equal share of the threads."""
    env = {}
    for name in (*THREADS, "NPROC"):  # XLA reads NPROC
        threads = os.environ.get(name, "")
        env[name] = str(max(1, (int(threads) if threads.isdigit() else cores()) // count))
    return env


def command_words(verb: str, *words: str, runs: Path, config: str | None = None, **flags: Any) -> list[str]:
    """Arguments of `seqtasks` for `start`.

    Example:
        >>> command_words("run", "char_lm", "seed=1", runs=Path("runs"), force=True, quiet=False)
        ['run', 'char_lm', 'seed=1', '--runs', 'runs', '--force']
    """
    options = [] if config is None else ["--config", config]
    return [verb, *words, "--runs", str(runs), *options, *(f"--{name}" for name, value in flags.items() if value)]
