"""Sessions: states of causal models that the server keeps between requests, for a limited time."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from seqtasks.core.errors import SeqtasksError


class NoSessionError(SeqtasksError):
    """There is no session of this name, or it has expired."""


class SessionsFullError(SeqtasksError):
    """As many sessions are open as the server keeps."""


class BusySessionError(SeqtasksError):
    """Another request is using the session."""


@dataclass(eq=False)
class Session:
    """A text that a language model is reading and generating.

    Attributes:
        model: Name of the model.
        logits: Logits of the next token, `(1, size)`; None: nothing has been read yet.
        states: States of all layers, nested lists of `(1, …)`.
        seed: Seed of the generated tokens.
        generated: Tokens generated since the last text that was read.
        drawn: Number of random numbers used with the seed.
        used: Time of the last request.
        busy: Whether a request is using the session.
        id: Name of the session, which cannot be guessed.
    """

    model: str
    logits: Any = None
    states: Any = None
    seed: int = 0
    generated: list[int] = field(default_factory=list)
    drawn: int = 0
    used: float = 0.0
    busy: bool = False
    id: str = field(default_factory=lambda: secrets.token_urlsafe(18))


class Sessions:
    """Open sessions by their names.

    Args:
        most: Maximum number of sessions.
        seconds: Time to live after the last request.
        clock: Returns the time in seconds.

    Example:
        >>> sessions = Sessions(most=1, seconds=60)
        >>> session = sessions.create("char_lm-gru-0123abcd")
        >>> sessions.get(session.id) is session, len(sessions)
        (True, 1)
        >>> sessions.remove(session)
        >>> len(sessions)
        0
    """

    def __init__(self, most: int, seconds: float, clock: Callable[[], float] = time.monotonic):
        self.most, self.seconds, self._clock = most, seconds, clock
        self._sessions: dict[str, Session] = {}

    def __len__(self) -> int:
        self.expire()
        return len(self._sessions)

    def create(self, model: str) -> Session:
        """Opens a session.

        Args:
            model: Name of the model.

        Raises:
            SessionsFullError: There are too many.
        """
        if len(self) >= self.most:
            raise SessionsFullError(
                f"{self.most} sessions are open; allowed: {self.most}; end one, or try again later: they expire after "
                f"{self.seconds:g} s without a request"
            )
        session = Session(model, used=self._clock())
        self._sessions[session.id] = session
        return session

    def get(self, name: str) -> Session:
        """Returns a session.

        Args:
            name: Name of the session.

        Raises:
            NoSessionError: There is none of this name.
        """
        self.expire()
        if name not in self._sessions:
            raise NoSessionError(
                f"there is no session of this name; allowed: one that has not expired ({self.seconds:g} s after its "
                "last request); open a new one"
            )
        return self._sessions[name]

    def take(self, name: str) -> Session:
        """Returns a session for a request that changes it; `release` ends that.

        Args:
            name: Name of the session.

        Raises:
            NoSessionError: There is none of this name.
            BusySessionError: Another request has taken it.
        """
        session = self.get(name)
        if session.busy:
            raise BusySessionError(
                "the session is in use by another request; allowed: one request at a time; wait for its end"
            )
        self.touch(session)
        session.busy = True
        return session

    def touch(self, session: Session) -> None:
        """Begins the time to live of a session again."""
        session.used = self._clock()

    def release(self, session: Session) -> None:
        """Ends the use of a session by a request."""
        session.busy = False
        self.touch(session)

    def remove(self, session: Session) -> None:
        """Ends a session and frees its states."""
        self._sessions.pop(session.id, None)

    def expire(self) -> None:
        """Ends the sessions whose time to live is over, also of a stream that nobody reads."""
        oldest = self._clock() - self.seconds
        for session in [session for session in self._sessions.values() if session.used < oldest]:
            self.remove(session)

    def is_open(self, session: Session) -> bool:
        """Whether a session has neither been ended nor expired."""
        return session.id in self._sessions

    def left(self, session: Session) -> float:
        """Seconds until a session expires."""
        return max(0.0, session.used + self.seconds - self._clock())
