"""Process that runs one command after another, for the points of a grid or a search.

    python -P -m seqtasks.cli.worker

See `experiments.lasting_process` for what it reads and writes.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable
from pathlib import Path

from seqtasks.cli.main import main as command_line
from seqtasks.core import keras_import
from seqtasks.experiments.lasting_process import serve

GROWTH = 500 * 2**20  # bytes that the process may grow after its first command before a new one replaces it
COMMANDS = 20  # commands of a process where its size is not known: on systems other than Linux


def main() -> None:
    """Runs commands until standard input is closed."""
    try:
        serve(run, stays())
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def run(words: list[str]) -> int:
    """Runs a command of seqtasks in this process and returns its exit code.

    Args:
        words: Command and arguments.
    """
    sys.argv = ["seqtasks", *words]
    try:
        command_line()
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    return 0


def stays(size: Callable[[], int] | None = None) -> Callable[[], bool]:
    """Function that frees memory and returns whether this process may run another command.

    Args:
        size: Function that returns the size of this process in bytes, 0 if it is not known.
    """
    size = size or resident
    sizes: list[int] = []

    def check() -> bool:
        keras_import.free_memory()
        if not sizes:
            gc.freeze()  # what was imported stays for good: later collections need not look through it
        sizes.append(size())
        return sizes[-1] < sizes[0] + GROWTH if sizes[-1] else len(sizes) < COMMANDS

    return check


def resident() -> int:
    """Bytes of this process that are in memory; 0 where Linux does not run."""
    path = Path("/proc/self/statm")
    return int(path.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if path.is_file() else 0


if __name__ == "__main__":
    main()
