"""Signals that ask a process to stop, and child processes that get them from their parent only; for all systems."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import Any

# Ctrl-C, `kill`, a closed terminal or connection (not on Windows), Ctrl-Break (Windows only).
_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")


def stop_signals() -> list[signal.Signals]:
    """The signals of this system that ask to stop; without SIGHUP where it is ignored, as `nohup` does."""
    numbers = [signal.Signals[name] for name in _NAMES if hasattr(signal, name)]
    return [n for n in numbers if n.name != "SIGHUP" or signal.getsignal(n) != signal.SIG_IGN]


def group_options() -> dict[str, Any]:
    """Arguments of `subprocess.Popen` for a child that Ctrl-C of the terminal does not reach."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"process_group": 0}


def pass_on(child: subprocess.Popen[Any], number: int) -> None:
    """Asks a child to stop that was started with `group_options`.

    Windows can send only Ctrl-Break to another process group; its `SIGTERM` would kill the child at once.

    Args:
        child: The child.
        number: Signal that this process received; all but SIGINT are passed on as SIGTERM.
    """
    if sys.platform == "win32":
        child.send_signal(signal.CTRL_BREAK_EVENT)
    else:
        child.send_signal(signal.SIGINT if number == signal.SIGINT else signal.SIGTERM)
