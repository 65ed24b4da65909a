from . import cells, decoding, layers, losses, metrics, task_types
from .core.config import EncoderConfig
from .core.settings import setting
from .core.version import __version__
from .data.cache import fingerprint
from .data.source import Source
from .data.spec import Spec
from .data.splits import Examples, Splits
from .experiments.results import Row
from .experiments.table import Table
from .layers.acceleration import accelerate
from .task_types.base import Baseline, Task, register_task
from .training.api import Result, compare, load_run, run
from .training.tracker import TrackedRun, Tracker, register_tracker

__all__ = [
    "Baseline",
    "EncoderConfig",
    "Examples",
    "Result",
    "Row",
    "Source",
    "Spec",
    "Splits",
    "Table",
    "Task",
    "TrackedRun",
    "Tracker",
    "__version__",
    "accelerate",
    "cells",
    "compare",
    "decoding",
    "fingerprint",
    "layers",
    "load_run",
    "losses",
    "metrics",
    "register_task",
    "register_tracker",
    "run",
    "setting",
    "task_types",
]
