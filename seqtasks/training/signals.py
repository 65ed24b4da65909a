"""Ctrl-C and SIGTERM in training: the first saves and stops, the second stops at once."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any

from seqtasks.core.process_signals import stop_signals


class StopRequest:
    """Context manager in which Ctrl-C, SIGTERM and SIGHUP set `received` instead of stopping.

    It does nothing outside the main thread, where Python allows no signal handlers.

    Attributes:
        received: Whether a signal was received.
        at_once: Whether the first signal also raises KeyboardInterrupt, as in a validation, after which nothing
            needs to be finished.
    """

    def __init__(self) -> None:
        self.received = False
        self.at_once = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            for number in stop_signals():
                self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def _handle(self, number: int, frame: FrameType | None) -> None:
        again, self.received = self.received, True
        if again or self.at_once:
            raise KeyboardInterrupt
