"""Errors that a user can correct.

Every message has three parts: what was received, what is allowed, what to do. The command line
prints it on one line and exits with `exit_code`; `--debug` prints the traceback. Errors in
seqtasks itself are found by `assert`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class SeqtasksError(Exception):
    """Base class of all errors that seqtasks raises for wrong input.

    Attributes:
        exit_code: Exit code of the command line.

    Example:
        >>> import seqtasks
        >>> from seqtasks.core.errors import SeqtasksError
        >>> try:
        ...     seqtasks.run("mnist_row")
        ... except SeqtasksError as error:
        ...     print(error)
        unknown task 'mnist_row'; did you mean mnist_rows? see `seqtasks list tasks`
    """

    exit_code = 2


class ConfigError(SeqtasksError, ValueError):
    """A setting has an unknown name or a value that is not allowed."""


class UnknownNameError(SeqtasksError, LookupError):
    """A task, cell or run of that name does not exist."""


class DuplicateNameError(SeqtasksError, ValueError):
    """Two different objects were registered under one name."""


class PluginError(SeqtasksError, ImportError):
    """A plugin (the module of a task or cell) cannot be imported."""


class DataError(SeqtasksError, ValueError):
    """Data is missing, damaged, or in a form that the task cannot read."""


class RunError(SeqtasksError, RuntimeError):
    """A run folder cannot be read, written, resumed or locked."""


class BusyRunError(RunError):
    """Another process is training in the run folder; the same command can be tried again later."""

    exit_code = 75  # EX_TEMPFAIL of <sysexits.h>


class DamagedRunError(RunError):
    """A damaged file in a run folder that is written again if the same command is run."""


class TableError(SeqtasksError, ValueError):
    """Result rows are missing, or cannot be compared in one table."""


class TrainingDiverged(SeqtasksError, ArithmeticError):
    """The loss became NaN or infinite."""


class Interrupted(SeqtasksError, KeyboardInterrupt):
    """Training was stopped by Ctrl-C or SIGTERM, after its state was saved."""

    exit_code = 130


MANY = 8  # maximum number of names that a message lists in full
TASK_SETTINGS = "`seqtasks show TASK`"  # the command that lists all settings of a task


def nearest(name: str, known: Iterable[str], cutoff: float = 0.0) -> list[str]:
    """The known names most similar to a name, at most three, the most similar first.

    Args:
        name: The unknown name.
        known: Names that exist.
        cutoff: Minimum similarity from 0 to 1, see `difflib.get_close_matches`.
    """
    return difflib.get_close_matches(name, sorted(known), n=3, cutoff=cutoff)


def suggest(name: str, known: Iterable[str], prefix: str = "", see: str = "") -> str:
    """The second half of an error message: similar known names, or all if they are few.

    Args:
        name: The unknown name.
        known: Names that exist.
        prefix: Prefix of each suggested name, e.g. `"encoder."`.
        see: Command that lists all names, e.g. "`seqtasks list cells`"; mentioned if there are many.

    Example:
        >>> suggest("unit", ["units", "cell", "layers"], prefix="encoder.")
        'did you mean encoder.units?'
    """
    known = list(known)
    if not known:
        return "there are none"
    close = nearest(name, known, 0.6)
    if close:
        best = difflib.SequenceMatcher(None, close[0], name).ratio()
        # Leave out names that are clearly less similar than the best one.
        close = [one for one in close if difflib.SequenceMatcher(None, one, name).ratio() > best - 0.05]
        return f"did you mean {_either(close, prefix)}?" + (f" see {see}" if see and len(known) > MANY else "")
    if len(known) <= MANY:
        return "allowed: " + ", ".join(prefix + one for one in sorted(known))
    return f"the nearest of {len(known)}: {_either(nearest(name, known), prefix)}" + (f"; see {see}" if see else "")


def listed(names: Iterable[str]) -> str:
    """Names separated by commas: all if they are few, else the first three and their number."""
    names = list(names)
    return ", ".join(names) if len(names) <= MANY else f"{', '.join(names[:3])} … ({len(names)} in all)"


def _either(names: list[str], prefix: str) -> str:
    *first, last = [prefix + name for name in names]
    return f"{', '.join(first)} or {last}" if first else last
