from . import cells, decoding, layers, losses, metrics, task_types
from .core.config import EncoderConfig
from .core.settings import setting
from .core.version import __version__
from .data.cache import fingerprint
from .data.source import Source
from .data.splits import Examples, Splits
from .experiments.results import Row
from .task_types.base import Baseline, Task, register_task

__all__ = [
    "Baseline",
    "EncoderConfig",
    "Examples",
    "Row",
    "Source",
    "Splits",
    "Task",
    "__version__",
    "cells",
    "decoding",
    "fingerprint",
    "layers",
    "losses",
    "metrics",
    "register_task",
    "setting",
    "task_types",
]
