"""Imports Keras and its backend without their messages."""

from __future__ import annotations

import contextlib
import ctypes
import importlib.abc
import importlib.util
import json
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from seqtasks.core.errors import ConfigError

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
            logging.getLogger("tensorflow").addFilter(lambda record: "tf.function retracing" not in record.getMessage())


def _no_backend(error: Exception) -> ConfigError:
    """What to raise where Keras cannot be imported with its backend."""
    name, place = _backend()
    if name not in BACKENDS:
        fault = "does not exist"
    elif importlib.util.find_spec(name) is None:
        fault = "is not installed"
    else:
        fault = f"cannot be imported ({type(error).__name__}: {' '.join(str(error).split())})"
    installed = [known for known in BACKENDS if importlib.util.find_spec(known)]
    return ConfigError(
        f"the Keras backend {name!r} ({place}) {fault}; allowed here: {', '.join(installed) or 'none'}; "
        f"set KERAS_BACKEND={next(iter(installed), 'tensorflow')}, or install another one"
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
    """Catches file descriptor 2, to which C++ writes, whatever `sys.stderr` is: in a notebook it is another stream."""
    number = 2
    try:
        saved = os.dup(number)
    except OSError:  # closed
        yield
        return
    _flush_stderr()
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
            _flush_stderr()
            os.dup2(saved, number)
            os.close(saved)


def _flush_stderr() -> None:
    if sys.stderr is not None:  # None where the stream was closed at the start of Python
        sys.stderr.flush()


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


class _AfterKeras(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Calls a function right after Keras was imported, whenever that is."""

    def __init__(self, call: Callable[[], None]):
        self.call = call

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name != "keras":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec("keras")
        if spec is None or spec.loader is None:
            return None
        self.wrapped, spec.loader = spec.loader, self
        return spec

    def create_module(self, spec: Any) -> Any:
        return self.wrapped.create_module(spec)

    def exec_module(self, module: Any) -> None:
        module.__spec__.loader = module.__loader__ = self.wrapped
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        with _hold_stderr():  # also where a script or a notebook imports Keras after seqtasks
            self.wrapped.exec_module(module)
        self.call()


def register_when_imported(register: Callable[[], None]) -> None:
    """Calls `register` once Keras is imported; at once if it already is.

    Keras finds the classes of saved models only if they are registered, and importing Keras to register
    them would cost each command several seconds.

    Args:
        register: Imports the modules with registered classes.
    """
    if "keras" in sys.modules:
        register()
    else:
        sys.meta_path.insert(0, _AfterKeras(register))
