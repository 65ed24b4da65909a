"""Imports Keras and its backend silently, and registers layers once Keras is imported."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib.abc
import importlib.util
import json
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from seqtasks.core.errors import ConfigError

BACKENDS = ("tensorflow", "jax", "torch")


def import_keras() -> None:
    """Imports Keras and its backend; their messages are printed only if the import fails.

    Raises:
        ConfigError: The backend does not exist or is not installed.
    """
    # TensorFlow warns of retracing, which cannot be avoided for batches of sequences of many lengths.
    logging.getLogger("tensorflow").addFilter(_no_retracing)  # the same filter is added once only
    if "keras" in sys.modules:
        return
    keep_freed()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with _waiting("loading Keras …"), _hold_stderr():
        try:
            import keras
        except Exception as error:  # any library that Keras imports may fail in any way
            raise _no_backend(error) from error
        if keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            tf.config.list_logical_devices()  # looks for a GPU, and prints warnings if there is none


def _no_retracing(record: logging.LogRecord) -> bool:
    return "tf.function retracing" not in record.getMessage()


def backend_name() -> str:
    """Name of the backend that Keras uses or will use; does not import Keras."""
    if "keras.src.backend" in sys.modules:
        import keras

        return str(keras.backend.backend())
    return _backend()[0]


def check_backend() -> None:
    """Checks that the backend is installed, without importing it.

    Raises:
        ConfigError: It does not exist or is not installed.
    """
    name, _ = _backend()
    if name not in BACKENDS or importlib.util.find_spec(name) is None:
        raise _no_backend(ImportError(name))


def _no_backend(error: Exception) -> ConfigError:
    """The error for a backend that cannot be imported."""
    name, origin = _backend()
    if name not in BACKENDS:
        fault = "does not exist"
    elif importlib.util.find_spec(name) is None:
        fault = "is not installed"
    else:
        fault = f"cannot be imported ({type(error).__name__}: {' '.join(str(error).split())})"
    installed = [known for known in BACKENDS if importlib.util.find_spec(known)]
    return ConfigError(
        f"the Keras backend {name!r} ({origin}) {fault}; allowed here: {', '.join(installed) or 'none'}; "
        f"set KERAS_BACKEND={next(iter(installed), 'tensorflow')}, or install another one"
    )


def _backend() -> tuple[str, str]:
    """The backend that Keras uses, and where it is set."""
    if name := os.environ.get("KERAS_BACKEND"):
        return name, "KERAS_BACKEND"
    path = Path(os.environ.get("KERAS_HOME") or Path("~/.keras").expanduser()) / "keras.json"
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["backend"]), str(path)
    except (OSError, ValueError, KeyError, TypeError):
        return BACKENDS[0], "the default"


@contextmanager
def _waiting(text: str) -> Iterator[None]:
    """Shows a text in a terminal while the body runs."""
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
    """Captures standard error; prints it only after an exception.

    It works on the file descriptor 2, because C++ code writes there, whatever `sys.stderr` is: in a notebook it is
    another stream.
    """
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
        except ConfigError:  # its message is complete
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


# Parameters of glibc's <malloc.h> and their values: M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX.
SETTINGS = {-1: 2**31 - 1, -2: 64 * 2**20, -4: 0}
DEFAULTS = {-1: 128 * 2**10, -2: 128 * 2**10, -4: 65536}


def keep_freed() -> bool:
    """Makes glibc keep freed memory for later allocations, which is faster.

    A process then stays as large as its peak. `return_freed` ends it.

    Returns:
        Whether the setting was made. It is not made on other systems, nor if the environment
        sets a variable `MALLOC_…`.
    """
    return _set_malloc(SETTINGS)


def return_freed() -> bool:
    """Makes glibc return freed memory to the system, as it does by default; for a process that serves for days.

    Returns:
        Whether the setting was made, see `keep_freed`.
    """
    made = _set_malloc(DEFAULTS)
    _trim()
    return made


def _set_malloc(settings: Mapping[int, int]) -> bool:
    """Sets parameters of glibc's malloc, unless the user has set some."""
    if sys.platform != "linux" or any(name.startswith("MALLOC_") for name in os.environ):
        return False
    with contextlib.suppress(OSError, AttributeError):  # a C library other than glibc
        mallopt = ctypes.CDLL(None).mallopt
        results = [mallopt(parameter, value) for parameter, value in settings.items()]
        return all(result == 1 for result in results)
    return False


def free_memory() -> None:
    """Frees models, graphs and compiled functions that are no longer used, and returns their memory to the system.

    Global state of Keras, such as the names given to layers and the precision, is as after its import.
    """
    if "keras.src.backend" in sys.modules:
        import keras

        keras.backend.clear_session(free_memory=False)  # else it collects garbage, too
    # Gradients of `tf.custom_gradient` keep each graph, and 4 to 12 MB for each trained model.
    gradients = getattr(sys.modules.get("tensorflow.python.framework.ops"), "gradient_registry", None)
    registry = getattr(gradients, "_registry", {})
    for name in [name for name in registry if name.startswith("CustomGradient-")]:
        del registry[name]
    gc.collect()
    _trim()


def _trim() -> None:
    """Returns the memory that is free now to the system."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # a C library other than glibc
            ctypes.CDLL(None).malloc_trim(0)


class _AfterKeras(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Import hook that calls a function right after Keras is imported."""

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
    """Calls `register` when Keras is imported, or at once if it is imported already.

    Keras can load a saved model only if its classes are registered, but importing Keras just to register
    them would cost each command several seconds.

    Args:
        register: Function that imports the modules with registered classes.
    """
    if "keras" in sys.modules:
        register()
    else:
        sys.meta_path.insert(0, _AfterKeras(register))
