"""Keeps freed memory in the process, where the C library would return it to the system.

Tensors of many megabytes come and go with each step. glibc maps each anew, and the system
then fills its pages with zeros as they are touched: up to half the time of a step on a CPU.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys

# <malloc.h> of glibc: M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX.
SETTINGS = {-1: 2**31 - 1, -2: 64 * 2**20, -4: 0}


def keep_freed() -> bool:
    """Tells glibc to keep what is freed; a process then stays as large as it once was.

    Returns:
        Whether it was told: not on other systems, nor where a `MALLOC_…` variable of the
        environment says something else.
    """
    if sys.platform != "linux" or any(name.startswith("MALLOC_") for name in os.environ):
        return False
    with contextlib.suppress(OSError, AttributeError):  # another C library
        mallopt = ctypes.CDLL(None).mallopt
        done = [mallopt(what, value) for what, value in SETTINGS.items()]
        return all(result == 1 for result in done)
    return False
