"""Whether a graph that is being traced will run where Python code cannot be called."""

from __future__ import annotations

import sys

_EXPORTERS = ("keras.src.export", "tensorflow.python.saved_model", "tensorflow.lite")


def elsewhere() -> bool:
    """Whether what is traced now is compiled by XLA, or written into a file that others run."""
    import tensorflow as tf

    if tf.executing_eagerly():
        return False
    from tensorflow.python.ops.control_flow_util import GraphOrParentsInXlaContext

    if GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph()):
        return True
    # Nothing else tells an export from a prediction: both trace a function of the model.
    frame = sys._getframe()
    while frame is not None:
        if str(frame.f_globals.get("__name__", "")).startswith(_EXPORTERS):
            return True
        frame = frame.f_back  # type: ignore[assignment]
    return False
