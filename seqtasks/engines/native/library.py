"""Loads the compiled native kernel and reads its constants."""

from __future__ import annotations

import ctypes
import functools
import os
import sys
from pathlib import Path
from typing import Any

from seqtasks.core import environment

LSTM, GRU, SIMPLE_RNN, GRU_V1, PEEPHOLE_LSTM, COUPLED_LSTM = range(6)
GATES = {LSTM: 4, GRU: 3, SIMPLE_RNN: 1, GRU_V1: 3, PEEPHOLE_LSTM: 4, COUPLED_LSTM: 3}
GATE_GRADS = {LSTM: 4, GRU: 4, SIMPLE_RNN: 1, GRU_V1: 3, PEEPHOLE_LSTM: 4, COUPLED_LSTM: 3}  # per unit and step
SAVED = {LSTM: 4, GRU: 4, SIMPLE_RNN: 1, GRU_V1: 4, PEEPHOLE_LSTM: 4, COUPLED_LSTM: 3}  # per unit and step
# Position of each gate among the saved values, see rnn_call.h; the names are those that the cells declare.
SAVED_GATES: dict[int, dict[str, int]] = {
    LSTM: {"input": 0, "forget": 1, "output": 3},
    GRU: {"update": 0, "reset": 1},
    SIMPLE_RNN: {},
    GRU_V1: {"update": 0, "reset": 1},
    PEEPHOLE_LSTM: {"input": 0, "forget": 1, "output": 3},
    COUPLED_LSTM: {"forget": 0, "output": 2},
}
HAS_C = {LSTM, PEEPHOLE_LSTM, COUPLED_LSTM}
HAS_B = {GRU, PEEPHOLE_LSTM}


def shapes(kind: int, batch: int, features: int, units: int) -> dict[str, tuple[int, ...]]:
    """Returns the shapes of the weights and initial states that a kind of loop reads."""
    width = GATES[kind] * units
    sizes = {"w": (features, width), "bias": (width,), "u": (units, width), "h0": (batch, units)}
    sizes |= {"b": (3 * units,)} if kind in HAS_B else {}
    return sizes | ({"c0": (batch, units)} if kind in HAS_C else {})


def path() -> Path | None:
    """Returns the file of the compiled library, or None if it was not built."""
    return environment.native_kernel()


@functools.cache
def library() -> Any:
    """Loads the library; None if it was not built."""
    if (file := path()) is None:
        return None
    if "tensorflow" in sys.modules:  # TensorFlow registers operations only when their library is first loaded
        operations()
    handle = ctypes.CDLL(str(file))
    handle.seqtasks_chosen.restype = ctypes.c_char_p
    handle.seqtasks_packed.restype = ctypes.c_int64
    return handle


@functools.cache
def operations() -> Any:
    """Loads the TensorFlow operations `seqtasks_forward`, `_backward` and `_inputs`.

    The result has none of them if TensorFlow did not register them.
    """
    import tensorflow as tf

    return tf.load_op_library(str(path()))


def instructions() -> str:
    """Returns the instruction set in use: avx512, avx2 or portable."""
    return str(library().seqtasks_chosen().decode())


def choose(name: str | None) -> bool:
    """Selects the code for an instruction set.

    Args:
        name: Name as returned by `instructions`; None: the best one.

    Returns:
        Whether this CPU supports it.
    """
    return bool(library().seqtasks_choose(name.encode() if name else None) >= 0)


def threads() -> int:
    """Returns how many threads a call may use.

    This is OMP_NUM_THREADS, but at most the number of cores that the process may run on.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return max(1, min(cores, int(limit))) if limit.isdigit() and int(limit) else cores
