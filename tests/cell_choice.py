"""Selection of tests over many cells, tasks and shapes: a third that the commit chooses, and changed cells."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from seqtasks.core import plugins
from seqtasks.core.version import __version__

ROOT = Path(__file__).resolve().parents[1]
THIRDS = ("0", "1", "2")


def bundled_cells() -> dict[str, str]:
    """The names of all bundled cells and the module of each, read without importing Keras."""
    modules = {entry.name: entry.module for entry in plugins.cells.entries()}
    return {name: module for name, module in modules.items() if module.startswith("seqtasks.cells.")}


def git(*words: str) -> list[str] | None:
    """The lines that a git command prints in the checkout; None: no git, no checkout, no such commit."""
    try:
        result = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return result.stdout.splitlines()


def third_of_commit() -> str:
    """The third that the commit chooses; outside of a checkout, the version chooses it."""
    commit = git("rev-parse", "HEAD")
    number = int(commit[0][:8], 16) if commit else sum(__version__.encode())
    return THIRDS[number % 3]


def changed_files() -> list[str]:
    """Paths that differ from the commit before, or are new, relative to the top of the checkout."""
    changed = git("diff", "--name-only", "HEAD~1")
    if changed is None:  # the first commit, or all that a shallow clone has
        changed = git("diff", "--name-only", "HEAD")
    return [*(changed or ()), *(git("ls-files", "--others", "--exclude-standard") or ())]


def choose(third: str, changed: Iterable[str], cells: dict[str, str]) -> tuple[list[str], list[str]]:
    """The cells of a third, and those of changed files that are not in it.

    Args:
        third: "0", "1" or "2".
        changed: paths relative to the top of the checkout.
        cells: the module of each cell.
    """
    names = sorted(cells)
    of_third = names[int(third) :: 3]
    files = set(changed)
    of_files = [name for name in names if cells[name].replace(".", "/") + ".py" in files]
    return of_third, [name for name in of_files if name not in of_third]


def chosen_third(option: str | None, selected_by_hand: bool) -> str:
    """Returns the third to test, or "all".

    Args:
        option: the value of `--third`: "all", a third, or None.
        selected_by_hand: whether single tests were asked for, by `-k` or by their ids: all then, unless the
            option is given.
    """
    return option or ("all" if selected_by_hand else third_of_commit())


def chosen_cells(third: str) -> tuple[Sequence[str], str]:
    """The cells to test, and a line for pytest's header.

    Args:
        third: "all", or a third.
    """
    cells = bundled_cells()
    if third == "all":
        return sorted(cells), "cells, tasks and shapes: all"
    of_third, of_files = choose(third, changed_files(), cells)
    also = f"; cells of changed files: {', '.join(of_files)}" if of_files else ""
    line = f"cells, tasks and shapes: third {third} of 0, 1, 2{also}; --third {third} repeats it"
    return [*of_third, *of_files], line


def in_third(place: int, third: str) -> bool:
    """Whether the parameter at this place of a test is in the third.

    The third moves on with each round, so that a second parameter with three values is not always the same.
    """
    return third == "all" or (place + place // 3) % 3 == int(third)
