"""One-line messages for errors in the Python files of a user: a task or cell that was given by its path."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path

from seqtasks.core import plugins

PACKAGE = Path(__file__).parents[1]
_ADVICE = "(--debug shows the whole traceback)"
_WRAPPERS = ("Exception encountered when calling", "Error encountered:", "in user code:")  # of Keras and TensorFlow


def describe(error: Exception) -> str | None:
    """Describes an error that was raised while files of the user were loaded.

    Args:
        error: Any error that is not a `SeqtasksError`.

    Returns:
        One line with the innermost line of the user's files, and the first line of the original message; None if no
        file of the user was loaded.
    """
    files = plugins.loaded_files()
    if not files:
        return None
    original = _original(error)
    problem = f"{type(original).__name__}: {_first_line(original)}".rstrip(": ")
    frame = _innermost(error, [str(file) for file in files])
    if frame is not None:
        place = f"{_short(frame.filename)}, line {frame.lineno}, in {frame.name}"
        return f"{place}: {problem}; correct the file {_ADVICE}"
    names = " and ".join(_short(str(file)) for file in files)
    frame = _innermost(error, [str(PACKAGE)])
    where = "" if frame is None else f", in {PACKAGE.name}/{Path(frame.filename).relative_to(PACKAGE)}:{frame.lineno}"
    return f"error while using {names}{where}: {problem}; check what its methods take and return {_ADVICE}"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yields an error, and the errors during whose handling it was raised, the oldest last."""
    seen: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in seen:
        seen.append(current)
        yield current
        current = current.__cause__ or current.__context__


def _original(error: BaseException) -> BaseException:
    """The error that Keras wrapped into others, whose messages contain its message; else the error itself."""
    original = error
    for cause in _causes(error):
        if any(text in str(original) for text in _WRAPPERS) and str(cause).strip() and str(cause) in str(original):
            original = cause
    return original


def _first_line(error: BaseException) -> str:
    """The first line of a message that is not empty."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), "").rstrip(".")


def _innermost(error: BaseException, places: Sequence[str]) -> traceback.FrameSummary | None:
    """The innermost frame in one of several files or folders; None: there is none.

    Keras may raise another error than the original one, so that the tracebacks of both are read.
    """
    for cause in _causes(error):
        for frame in reversed(traceback.extract_tb(cause.__traceback__)):
            if frame.filename in places or any(frame.filename.startswith(place + os.sep) for place in places):
                return frame
    return None


def _short(path: str) -> str:
    """A path relative to the current folder if the file is in it."""
    try:
        return str(Path(path).relative_to(Path.cwd()))
    except (ValueError, OSError):
        return path
