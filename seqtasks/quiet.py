"""Importing TensorFlow without the lines it prints before anyone can configure its log."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from seqtasks.memory import keep_freed


def import_keras() -> None:
    """Imports Keras and its backend; what they print is shown only if that fails."""
    if "keras" in sys.modules:
        return
    keep_freed()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with _waiting("loading Keras …"), _hold_stderr():
        import keras

        if keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            tf.config.list_logical_devices()  # looks for a GPU, and complains where there is none
            # Batches of sequences do have many shapes, and it is not the user who could change that.
            logging.getLogger("tensorflow").addFilter(lambda said: "tf.function retracing" not in said.getMessage())


@contextmanager
def _waiting(text: str) -> Iterator[None]:
    """Shows why nothing happens for some seconds, in a terminal."""
    show = sys.stderr.isatty()
    if show:
        print(text, end="\r", file=sys.stderr, flush=True)
    try:
        yield
    finally:
        if show:
            print(" " * len(text), end="\r", file=sys.stderr, flush=True)


@contextmanager
def _hold_stderr() -> Iterator[None]:
    """Catches standard error at the level of the file descriptor: C++ writes there directly."""
    try:
        number = sys.stderr.fileno()
    except (AttributeError, OSError):  # not a real file, as in tests
        yield
        return
    sys.stderr.flush()
    saved = os.dup(number)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), number)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(saved, held.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(saved, number)
            os.close(saved)
