"""Replaces itself by a command that the operating system kills when its parent process ends (Linux).

    python -P -m seqtasks.experiments.bound_child PARENT COMMAND…

PARENT is the process id of the process that starts it. A worker of Ray that crashes, or whose node is lost, would
otherwise leave its child running.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def main(parent: int, command: list[str]) -> None:
    """Binds this process to its parent and executes a command in it.

    The signal is SIGKILL: a run continues from its last checkpoint, and a run that went on would hold the lock of its
    folder while another worker tries again.

    Args:
        parent: Process id of the parent.
        command: The command.

    Raises:
        OSError: The command cannot be executed, or the system call fails.
    """
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    # Processes of Ray block SIGINT, and a blocked signal stays blocked after exec.
    stops = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_UNBLOCK, stops)
    for number in stops:
        signal.signal(number, signal.SIG_DFL)
    if os.getppid() == parent:  # otherwise the parent ended before the system call
        os.execv(command[0], command)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
