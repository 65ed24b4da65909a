"""Conditions under which the native kernel can be called."""

from __future__ import annotations

import sys
import types

import keras

from seqtasks.engines.native import library

_EXPORTERS = ("keras.src.export", "tensorflow.python.saved_model", "tensorflow.lite")


def unavailable_reason() -> str | None:
    """Returns why the backend cannot call the kernel at all, or None if it can."""
    backend = keras.backend.backend()
    if backend not in ("tensorflow", "jax"):
        return f"it runs under TensorFlow and JAX, not under {backend}"
    if backend == "jax":
        import jax

        if jax.default_backend() != "cpu":
            return f"it runs on CPUs, and JAX computes on {jax.default_backend()}"
    elif library.path() is not None and not hasattr(library.operations(), "seqtasks_forward"):
        return "this build of TensorFlow does not load operations through its C API"
    return None


def not_built_reason() -> str | None:
    """Returns why there is no kernel to call, or None if there is one."""
    if library.library() is None:
        return "it was not built, as there was no C compiler when seqtasks was installed"
    return None


def under_xla() -> bool:
    """Returns whether graphs compiled by XLA can call the kernel, as on JAX."""
    return keras.backend.backend() == "jax"


def cannot_embed_in_graph() -> bool:
    """Returns whether the graph being traced cannot contain the native operations.

    This is the case in XLA compilation by TensorFlow and in exports (SavedModel).
    """
    if under_xla():
        return _exported()
    import tensorflow as tf

    if tf.executing_eagerly():
        return False
    from tensorflow.python.ops.control_flow_util import GraphOrParentsInXlaContext

    return GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph()) or _exported()


def _exported() -> bool:
    # Only the call stack distinguishes an export from a prediction: both trace a function of the model.
    """Returns whether a model is being exported."""
    frame: types.FrameType | None = sys._getframe()
    while frame is not None:
        if str(frame.f_globals.get("__name__", "")).startswith(_EXPORTERS):
            return True
        frame = frame.f_back
    return False
