"""Loads the compiled native kernel and reads its constants."""

from __future__ import annotations

import ctypes
import functools
import os
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any

LSTM, GRU, SIMPLE_RNN, GRU_V1, PEEPHOLE_LSTM, COUPLED_LSTM = range(6)
GATES = {LSTM: 4, GRU: 3, SIMPLE_RNN: 1, GRU_V1: 3, PEEPHOLE_LSTM: 4, COUPLED_LSTM: 3}
GATE_GRADS = {LSTM: 4, GRU: 4, SIMPLE_RNN: 1, GRU_V1: 3, PEEPHOLE_LSTM: 4, COUPLED_LSTM: 3}  # per unit and step
SAVED = {LSTM: 4, GRU: 4, SIMPLE_RNN: 1, GRU_V1: 4, PEEPHOLE_LSTM: 4, COUPLED_LSTM: 3}  # per unit and step
HAS_C = {LSTM, PEEPHOLE_LSTM, COUPLED_LSTM}
HAS_B = {GRU, PEEPHOLE_LSTM}


def shapes(kind: int, batch: int, features: int, units: int) -> dict[str, tuple[int, ...]]:
    """Those of the weights and first states that a kind of loop reads."""
    width = GATES[kind] * units
    sizes = {"w": (features, width), "bias": (width,), "u": (units, width), "h0": (batch, units)}
    sizes |= {"b": (3 * units,)} if kind in HAS_B else {}
    return sizes | ({"c0": (batch, units)} if kind in HAS_C else {})


def path() -> Path | None:
    """The file of the library; None where it was not built."""
    files = (Path(__file__).with_name(f"_kernel{suffix}") for suffix in EXTENSION_SUFFIXES)
    return next(filter(Path.is_file, files), None)


@functools.cache
def library() -> Any:
    """The library; None where it was not built."""
    if (file := path()) is None:
        return None
    if "tensorflow" in sys.modules:  # which learns of operations only when their library is loaded for the first time
        operations()
    handle = ctypes.CDLL(str(file))
    handle.seqtasks_chosen.restype = ctypes.c_char_p
    handle.seqtasks_packed.restype = ctypes.c_int64
    return handle


@functools.cache
def operations() -> Any:
    """Those of TensorFlow: `seqtasks_forward`, `seqtasks_backward`, `seqtasks_inputs`; none, if it took none."""
    import tensorflow as tf

    return tf.load_op_library(str(path()))


def instructions() -> str:
    """The instruction set in use: avx512, avx2 or portable."""
    return str(library().seqtasks_chosen().decode())


def choose(name: str | None) -> bool:
    """Takes the loop for an instruction set, None: the best one; false if this CPU has not got it."""
    return bool(library().seqtasks_choose(name.encode() if name else None) >= 0)


def threads() -> int:
    """How many threads a call may use: OMP_NUM_THREADS, but not more than cores that the process may run on."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    asked = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return max(1, min(cores, int(asked))) if asked.isdigit() and int(asked) else cores
