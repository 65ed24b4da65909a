"""Errors a user can do something about.

Every message has three parts: what was received, what is allowed, what to do.
The command line prints it on one line and exits with `exit_code`; the traceback
is shown under `--debug`. `assert` is kept for mistakes of our own.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class SeqtasksError(Exception):
    """Base of every error that seqtasks raises on purpose."""

    exit_code = 2


class ConfigError(SeqtasksError, ValueError):
    """A setting has an unknown name or a value that is not allowed."""


class UnknownNameError(SeqtasksError, LookupError):
    """A task, cell or run of that name does not exist."""


class DuplicateNameError(SeqtasksError, ValueError):
    """Two different objects were registered under one name."""


class PluginError(SeqtasksError, ImportError):
    """A plugin was asked for and could not be imported."""


class DataError(SeqtasksError, ValueError):
    """Data is missing, damaged, or not what the task can read."""


class RunError(SeqtasksError, RuntimeError):
    """A run folder cannot be read, written, resumed or locked."""


class DamagedRunError(RunError):
    """A file of a run folder is damaged in a way that running it again repairs."""


class TableError(SeqtasksError, ValueError):
    """Rows that must not stand in one table."""


class TrainingDiverged(SeqtasksError, ArithmeticError):
    """The loss became NaN or infinite."""


class Interrupted(SeqtasksError, KeyboardInterrupt):
    """Training was stopped by Ctrl-C or SIGTERM after saving its state."""

    exit_code = 130


def suggest(name: str, known: Iterable[str], prefix: str = "") -> str:
    """The tail of an error message: the nearest known name, or all of them.

    Args:
        name: what was received.
        known: the names that exist.
        prefix: put before the suggestion, e.g. `"encoder."`.
    """
    known = sorted(known)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if near:
        return f"did you mean {prefix}{near[0]}?"
    if not known:
        return "there are none"
    return "allowed: " + ", ".join(prefix + k for k in known)
