"""Importing TensorFlow without the lines it prints before anyone can configure its log."""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seqtasks.errors import ConfigError
from seqtasks.memory import keep_freed

BACKENDS = ("tensorflow", "jax", "torch")


def import_keras() -> None:
    """Imports Keras and its backend; what they print is shown only if that fails.

    Raises:
        ConfigError: the backend does not exist or is not installed.
    """
    if "keras" in sys.modules:
        return
    keep_freed()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with _waiting("loading Keras …"), _hold_stderr():
        try:
            import keras
        except Exception as error:  # of any of the libraries below it
            raise _no_backend(error) from error
        if keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            tf.config.list_logical_devices()  # looks for a GPU, and complains where there is none
            # Batches of sequences do have many shapes, and it is not the user who could change that.
            logging.getLogger("tensorflow").addFilter(lambda said: "tf.function retracing" not in said.getMessage())


def _no_backend(error: Exception) -> ConfigError:
    """What to raise where Keras cannot be imported with its backend."""
    name, place = _backend()
    if name not in BACKENDS:
        fault = "does not exist"
    elif importlib.util.find_spec(name) is None:
        fault = "is not installed"
    else:
        fault = f"cannot be imported ({type(error).__name__}: {' '.join(str(error).split())})"
    there = [known for known in BACKENDS if importlib.util.find_spec(known)]
    return ConfigError(
        f"the Keras backend {name!r} ({place}) {fault}; allowed here: {', '.join(there) or 'none'}; "
        f"set KERAS_BACKEND={next(iter(there), 'tensorflow')}, or install another one"
    )


def _backend() -> tuple[str, str]:
    """The backend that Keras takes, and where it is set."""
    if name := os.environ.get("KERAS_BACKEND"):
        return name, "KERAS_BACKEND"
    path = Path(os.environ.get("KERAS_HOME") or Path("~/.keras").expanduser()) / "keras.json"
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["backend"]), str(path)
    except (OSError, ValueError, KeyError, TypeError):
        return BACKENDS[0], "the default"


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
        except ConfigError:  # says all in one line
            raise
        except BaseException:
            held.seek(0)
            os.write(saved, held.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(saved, number)
            os.close(saved)
