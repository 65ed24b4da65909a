"""Conditions under which the native kernel can be called."""

from __future__ import annotations

import sys
import types

import keras

from seqtasks.engines.native import library

_EXPORTERS = ("keras.src.export", "tensorflow.python.saved_model", "tensorflow.lite")


def unavailable_reason() -> str | None:
    """Why the backend cannot call it at all, or None if it can."""
    backend = keras.backend.backend()
    if backend not in ("tensorflow", "jax"):
        return f"it is bound to TensorFlow and JAX, not to {backend}"
    if backend == "jax":
        import jax

        if jax.default_backend() != "cpu":
            return f"JAX computes on {jax.default_backend()}; it is a loop for CPUs"
    elif library.path() is not None and not hasattr(library.operations(), "seqtasks_forward"):
        return "this TensorFlow takes no operations by its interface in C"
    return None


def under_xla() -> bool:
    """Whether a graph that XLA compiles can call it, as JAX's can."""
    return keras.backend.backend() == "jax"


def cannot_embed_in_graph() -> bool:
    """Whether what is traced now cannot call it: compiled by XLA, or written into a file that others run."""
    if under_xla():
        return _exported()
    import tensorflow as tf

    if tf.executing_eagerly():
        return False
    from tensorflow.python.ops.control_flow_util import GraphOrParentsInXlaContext

    return GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph()) or _exported()


def _exported() -> bool:
    # Nothing else tells an export from a prediction: both trace a function of the model.
    frame: types.FrameType | None = sys._getframe()
    while frame is not None:
        if str(frame.f_globals.get("__name__", "")).startswith(_EXPORTERS):
            return True
        frame = frame.f_back
    return False
