"""Handles standard streams that are closed, full, or cannot encode every character."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any


def prepare() -> None:
    """Makes standard input, output and error usable, even if the shell closed them.

    A closed stream becomes the null device: otherwise the next opened file would get its number,
    and log messages of C++ code would be written into that file. Characters that standard output
    cannot encode become question marks. Messages that standard error cannot write, as on a full
    disk, are dropped, so that they do not stop training.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is not None:
            continue
        try:
            os.fstat(number)
        except OSError:
            null = os.open(os.devnull, os.O_RDWR)
            if null != number:
                os.dup2(null, number)
                os.close(null)
        setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115
    _replace_what_cannot_be_shown(sys.stdout)
    if sys.stderr is sys.__stderr__:  # not replaced, as pytest does
        sys.stderr = _Lossy(sys.stderr)


def finish() -> str | None:
    """Flushes standard output.

    Returns:
        One line on why that failed; None if it worked, or if the reader closed the pipe.
    """
    try:
        sys.stdout.flush()
    except OSError as error:
        silence(sys.stdout)
        return None if error.errno == errno.EPIPE else f"cannot write to standard output: {error.strerror}"
    return None


def silence(stream: Any) -> None:
    """Redirects a stream to the null device, so that flushing it at exit cannot fail."""
    with suppress(OSError, ValueError, AttributeError):  # not a real file, as in tests
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
        stream.flush()


def can_show(text: str) -> bool:
    """Whether standard output can encode all characters of a text."""
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


class _Lossy:
    """Text stream that drops output it cannot write; a closed pipe still raises an error.

    Args:
        stream: Stream to write to.
    """

    def __init__(self, stream: Any):
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        try:
            self._stream.write(text)
        except OSError as error:
            self._lose(error)
        return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            self._lose(error)

    def _lose(self, error: OSError) -> None:
        silence(self._stream)
        if error.errno == errno.EPIPE:
            raise error


def _replace_what_cannot_be_shown(stream: Any) -> None:
    with suppress(AttributeError, ValueError):  # not a real file, as in tests
        stream.reconfigure(errors="replace")
