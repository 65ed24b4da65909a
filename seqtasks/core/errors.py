"""Errors that a user can correct.

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


MANY = 8  # the most names that a message lists in full
TASK_SETTINGS = "`seqtasks show TASK`"  # where all settings of a task are listed


def nearest(name: str, known: Iterable[str], cutoff: float = 0.0) -> list[str]:
    """The known names that are most like a name, at most three, the nearest first.

    Args:
        name: what was received.
        known: the names that exist.
        cutoff: the least likeness, 0 to 1; see `difflib.get_close_matches`.
    """
    return difflib.get_close_matches(name, sorted(known), n=3, cutoff=cutoff)


def suggest(name: str, known: Iterable[str], prefix: str = "", see: str = "") -> str:
    """The tail of an error message: the nearest known names, or all of them if they are few.

    Args:
        name: what was received.
        known: the names that exist.
        prefix: put before each suggested name, e.g. `"encoder."`.
        see: where all names are listed, e.g. "`seqtasks list cells`"; for long lists.
    """
    known = list(known)
    if not known:
        return "there are none"
    close = nearest(name, known, 0.6)
    if close:
        best = difflib.SequenceMatcher(None, close[0], name).ratio()
        # Names that are clearly less like it than the best one would only distract.
        close = [one for one in close if difflib.SequenceMatcher(None, one, name).ratio() > best - 0.05]
        return f"did you mean {_either(close, prefix)}?" + (f" see {see}" if see and len(known) > MANY else "")
    if len(known) <= MANY:
        return "allowed: " + ", ".join(prefix + one for one in sorted(known))
    return f"the nearest of {len(known)}: {_either(nearest(name, known), prefix)}" + (f"; see {see}" if see else "")


def listed(names: Iterable[str]) -> str:
    """Names by commas: all of a few, else the first three and how many there are."""
    names = list(names)
    return ", ".join(names) if len(names) <= MANY else f"{', '.join(names[:3])} … ({len(names)} in all)"


def _either(names: list[str], prefix: str) -> str:
    *first, last = [prefix + name for name in names]
    return f"{', '.join(first)} or {last}" if first else last
