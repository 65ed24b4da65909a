"""Processes that run one command after another: what is slow to import is imported once.

Parent and child exchange lines of JSON. A request, on the child's standard input, has the words of a command and the
files for its standard output and error; a reply, on the standard output that the child began with, has its exit code.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from seqtasks.core.process_signals import group_options, pass_on

MODULE = "seqtasks.cli.worker"
END = 10.0  # seconds that an idle process has to end
Start = Callable[[Mapping[str, str]], "subprocess.Popen[str]"]


def start_worker(env: Mapping[str, str]) -> subprocess.Popen[str]:
    """Starts a process that runs commands of seqtasks.

    It is in a new process group, so that Ctrl-C of a terminal reaches only this process, which passes signals on to
    its children once.

    Args:
        env: Environment variables.
    """
    return subprocess.Popen(
        [sys.executable, "-P", "-m", MODULE],
        env=dict(env),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        **group_options(),
    )


class LastingProcess:
    """A child process that runs commands one after another.

    Args:
        child: The process, with pipes for standard input and output; see `serve`.

    Attributes:
        child: The process.
        usable: Whether it can run another command, as far as is known.
    """

    def __init__(self, child: subprocess.Popen[str]) -> None:
        self.child = child
        self.usable = True
        self._done = 0
        self._began = False
        self._signalled = False
        self._replies: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def lost(self) -> bool:
        """Whether the process ended while it was idle, before it began the last command."""
        return not self._began and self._done > 0 and not self._signalled

    def submit(self, words: Sequence[str], output: Path, log: Path | None) -> None:
        """Runs a command; `code` has its exit code when it has ended.

        Args:
            words: Command and arguments.
            output: File for its standard output.
            log: File for its standard error; None: that of this process.
        """
        self._began = False
        request = {"words": list(words), "output": str(output), "log": None if log is None else str(log)}
        assert self.child.stdin is not None
        with contextlib.suppress(OSError):  # the process has ended, which `code` notices
            self.child.stdin.write(json.dumps(request) + "\n")
            self.child.stdin.flush()

    def code(self) -> int | None:
        """Exit code of the command, below 0 for a signal that killed it; None while it runs."""
        ended = self.child.poll()
        if ended is not None:
            self._reader.join(1.0)  # not longer: a process that it has left behind may keep the pipe open
        while not self._replies.empty():
            reply = json.loads(self._replies.get())
            if "began" in reply:
                self._began = True
                continue
            self._done += 1
            self.usable = bool(reply["stays"]) and not self._signalled
            return int(reply["code"])
        self.usable = ended is None
        return ended

    def stop(self, number: int) -> None:
        """Sends a signal to the command; the process runs no other one after it."""
        self._signalled = True
        pass_on(self.child, number)

    def end(self) -> None:
        """Tells the process to end as soon as it is idle; does not wait."""
        self.usable = False
        assert self.child.stdin is not None
        with contextlib.suppress(OSError):
            self.child.stdin.close()

    def wait(self) -> None:
        """Waits until the process has ended; kills it after `END` seconds."""
        try:
            self.child.wait(END)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()

    def _read(self) -> None:
        assert self.child.stdout is not None
        with contextlib.suppress(OSError, ValueError), self.child.stdout as lines:
            for line in lines:
                self._replies.put(line)


def serve(run: Callable[[list[str]], int], stays: Callable[[], bool] = lambda: True) -> None:
    """Runs the commands that arrive on standard input, until it is closed or a command fails.

    A failure may leave any state behind, so that the next command gets a new process.

    Args:
        run: Function that runs a command and returns its exit code.
        stays: Function that frees memory after a command, and returns whether the process may run another one.
    """
    requests = os.fdopen(os.dup(0), encoding="utf-8")
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    errors = os.dup(2)
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1):  # commands have no input, and what libraries print later is no reply
        os.dup2(null, number)

    def reply(**values: object) -> None:
        replies.write(json.dumps(values) + "\n")
        replies.flush()

    with contextlib.suppress(BrokenPipeError):  # the parent has been killed
        for line in requests:
            request = json.loads(line)
            reply(began=True)
            with _opened(request["output"]) as output, _opened(request["log"]) as log:
                os.dup2(output.fileno() if output else null, 1)
                os.dup2(log.fileno() if log else errors, 2)
            try:
                code = run(request["words"])
            except KeyboardInterrupt:
                code = 130
            except Exception:
                traceback.print_exc()
                code = 1
            for stream in (sys.stdout, sys.stderr):
                with contextlib.suppress(OSError, ValueError):
                    stream.flush()
            os.dup2(null, 1)
            os.dup2(errors, 2)
            goes_on = code == 0 and stays()
            reply(code=code, stays=goes_on)
            if not goes_on:
                return


@contextlib.contextmanager
def _opened(path: str | None) -> Iterator[IO[bytes] | None]:
    if path is None:
        yield None
        return
    with Path(path).open("wb") as file:
        yield file
