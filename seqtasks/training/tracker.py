"""Base class of trackers, which record runs for a viewer or a service."""

from __future__ import annotations

import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from seqtasks.core import plugins
from seqtasks.core.errors import ConfigError
from seqtasks.experiments.results import Row

if TYPE_CHECKING:
    import numpy as np  # the command line imports this module


@dataclass(frozen=True)
class TrackedRun:
    """A run that trackers record.

    Attributes:
        path: Run folder; its name names the run.
        settings: All settings by dotted keys, such as `encoder.units`.
        facts: Texts by name: task, data source, fingerprint of the data, versions.

    Example:
        >>> TrackedRun(Path("runs/adding-gru-0123abcd"), {"encoder.units": 8}, {"task": "adding"}).path.name
        'adding-gru-0123abcd'
    """

    path: Path
    settings: Mapping[str, Any]
    facts: Mapping[str, str]


class Tracker(ABC):
    """Base class of trackers, which send the progress of one run to a service or a viewer.

    Numbers of the epochs that a tracker lacks are sent when a run continues, so `log` may be called long after the end
    of an epoch. A method may raise any error: training goes on, the tracker gets no more calls in this session, and the
    result has a note.

    Args:
        run: The run.
        state: Values that JSON can store, kept in the run folder from session to session; empty at first. The methods
            may change it.

    Attributes:
        name: Name of the tracker in `train.trackers`.
        modules: Names of modules that the tracker imports when it starts.
        package: Requirement that brings them, as pip reads it.

    Example:
        >>> from pathlib import Path
        >>> from seqtasks import Tracker
        >>> class Lines(Tracker):
        ...     def start(self) -> int:
        ...         return int(self.state.get("epochs", 0))
        ...     def log(self, epochs):
        ...         with (self.run.path / "lines.txt").open("a") as file:
        ...             for values in epochs:
        ...                 print(values["epoch"], values["loss"], file=file)
        ...         self.state["epochs"] = epochs[-1]["epoch"]
        >>> Lines.check()
    """

    name: ClassVar[str] = ""
    modules: ClassVar[Sequence[str]] = ()
    package: ClassVar[str] = ""

    def __init__(self, run: TrackedRun, state: dict[str, Any]):
        self.run = run
        self.state = state

    @classmethod
    def check(cls) -> None:
        """Checks that the tracker can be used, before any data is loaded.

        Raises:
            ConfigError: A module is not installed.
        """
        for module in cls.modules:
            if importlib.util.find_spec(module) is None:
                raise ConfigError(
                    f"train.trackers has {cls.name}, but its module {module} is not installed; run pip install "
                    f"'{cls.package}', or leave {cls.name} out of train.trackers"
                )

    @abstractmethod
    def start(self) -> int:
        """Opens the record of the run: a new one, or that of an earlier session.

        Returns:
            Number of the last epoch that it has; 0 for a new one.
        """

    @abstractmethod
    def log(self, epochs: Sequence[Mapping[str, float]]) -> None:
        """Records the numbers of epochs that follow the last one that the record has.

        Args:
            epochs: One or more rows of `history.csv`: `epoch` (from 1), losses, metrics, times; those of validation
                begin with `val_`.
        """

    def log_text(self, epoch: int, name: str, text: str) -> None:  # noqa: B027
        """Records a text that the model wrote after an epoch.

        Args:
            epoch: Number of the epoch.
            name: What the text is.
            text: The text.
        """

    def log_histogram(self, epoch: int, name: str, values: np.ndarray) -> None:  # noqa: B027
        """Records the distribution of the gradient of a layer in the last update of an epoch.

        Args:
            epoch: Number of the epoch.
            name: Name of the layer.
            values: Entries of the gradient before clipping, `(entries,)`; evenly spaced ones of a large layer.
        """

    def log_result(self, row: Row) -> None:  # noqa: B027
        """Records the result of a finished run.

        Args:
            row: Result row; `scores` are those of the test split.
        """

    def close(self, status: str) -> None:  # noqa: B027
        """Ends this session.

        Args:
            status: "finished" (all files of the run folder are written), "interrupted" (the run may go on), or
                "failed".
        """

    @property
    def address(self) -> str:
        """Where the record can be looked at; known after `start`."""
        return str(self.run.path)


def register_tracker(name: str) -> Callable[[type[Tracker]], type[Tracker]]:
    """Class decorator that registers a tracker under a name, for `train.trackers=[NAME]`.

    Args:
        name: Name of the tracker.

    Returns:
        A decorator that returns the class itself.

    Raises:
        DuplicateNameError: Another tracker has the name.

    Example:
        >>> @register_tracker("nothing")  # doctest: +SKIP
        ... class Nothing(Tracker):
        ...     def start(self):
        ...         return 0
        ...     def log(self, epochs):
        ...         pass
    """

    def register(cls: type[Tracker]) -> type[Tracker]:
        cls.name = name
        plugins.trackers.add(name, cls, cls.__module__)
        return cls

    return register


def check(names: Sequence[str]) -> list[type[Tracker]]:
    """Loads trackers and checks that they can be used.

    Args:
        names: Names of trackers; a name that stands twice counts once.

    Returns:
        Their classes.

    Raises:
        UnknownNameError: Unknown name; the message has the nearest.
        PluginError: A tracker of another package cannot be imported.
        ConfigError: A class is no tracker, or a module that it needs is not installed.
    """
    classes = []
    for name in dict.fromkeys(names):
        cls = plugins.trackers.get(name)
        if not issubclass(cls, Tracker):
            raise ConfigError(
                f"tracker {name} is {cls.__module__}.{cls.__qualname__}; allowed: a subclass of seqtasks.Tracker; "
                "correct the entry point of its package"
            )
        cls.name = cls.name or name  # of another package, which did not register it
        cls.check()
        classes.append(cls)
    return classes
