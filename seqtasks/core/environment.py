"""Versions, commit, processor and threads of the running process, stored with each result."""

from __future__ import annotations

import importlib
import os
import platform
import subprocess
from importlib import metadata
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

from seqtasks.core import keras_import
from seqtasks.core.version import __version__

LAUNCHED = "SEQTASKS_LAUNCHED"  # variable of processes that another one of seqtasks started, which prints their errors
_PACKAGES = ("keras", "tensorflow", "jax", "torch", "numpy", "pandas", "scikit-learn", "tensorflow-datasets")


def versions() -> dict[str, str]:
    """Versions of Python, seqtasks, the Keras backend in use and the installed libraries."""
    numbers = {"python": platform.python_version(), "seqtasks": __version__, "backend": keras_import.backend_name()}
    for name in _PACKAGES:
        try:
            numbers[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return numbers


def commit() -> str | None:
    """Commit that seqtasks runs from or was built from; `+` marks uncommitted changes."""
    folder = Path(__file__).resolve().parents[2]
    try:
        if (folder / ".git").exists():
            return _git(folder, "describe", "--always", "--exclude=*", "--abbrev=12", "--dirty=+")
        return str(importlib.import_module("seqtasks._commit").COMMIT)  # written by the build
    except (OSError, subprocess.SubprocessError, ModuleNotFoundError):
        return None


def machine() -> str:
    """Processor and operating system, e.g. `AMD EPYC, Linux`."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
                break
    return f"{name}, {platform.system()}"


def cores() -> int:
    """Number of processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def threads() -> int:
    """Number of threads that the backend computes with."""
    for name in ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS"):
        value = os.environ.get(name, "")
        if value.isdigit() and int(value) > 0:
            return int(value)
    return cores()


def native_kernel() -> Path | None:
    """The file of the compiled library of the engine native; None if it was not built."""
    folder = Path(__file__).parents[1] / "engines" / "native"
    files = (folder / f"_kernel{suffix}" for suffix in EXTENSION_SUFFIXES)
    return next(filter(Path.is_file, files), None)


def _git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=5, check=True
    ).stdout.strip()
