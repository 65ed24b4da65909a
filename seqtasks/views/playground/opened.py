"""Turns of the requests of the playground, and the runs that it has opened."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seqtasks.deploy import opened_run
from seqtasks.deploy.opened_run import Answer


class Turns:
    """Lock that one thread holds at a time, and that predictions get before pictures.

    Keras builds functions at the first call, layers record states, and matplotlib draws: none is safe in two threads.
    Pictures take longer than predictions, and come after them in the page.

    Example:
        >>> turns = Turns()
        >>> with turns.turn():
        ...     answer = 1 + 1
    """

    def __init__(self) -> None:
        self._condition, self._busy, self._predictions = threading.Condition(), False, 0

    @contextlib.contextmanager
    def turn(self, drawing: bool = False) -> Iterator[None]:
        """Context in which no other thread has its turn; it cannot be nested.

        Args:
            drawing: Whether to wait for all predictions that also wait.
        """
        with self._condition:
            self._predictions += not drawing
            self._condition.wait_for(lambda: not self._busy and not (drawing and self._predictions))
            self._predictions -= not drawing
            self._busy = True
        try:
            yield
        finally:
            with self._condition:
                self._busy = False
                self._condition.notify_all()


TURNS = Turns()


@dataclass(frozen=True, eq=False)
class OpenedRun(opened_run.OpenedRun):
    """A finished run with its model, asked by one visitor at a time."""

    def ask(self, inputs: Sequence[str], options: Mapping[str, Any], pictures: Sequence[str] = ()) -> Answer:
        with TURNS.turn(drawing=bool(pictures)):
            return super().ask(inputs, options, pictures)
