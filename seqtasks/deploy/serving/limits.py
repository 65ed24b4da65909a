"""Limits of a server: sizes, numbers and times that a request may have."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Limits of a server.

    Attributes:
        body: Maximum number of bytes of the body of a request.
        inputs: Maximum number of inputs of a request.
        length: Maximum number of characters of a text, and of steps of an array.
        tokens: Maximum number of tokens that a request generates.
        seconds: Maximum time of a request; of a stream, maximum time until its next part.
        sessions: Maximum number of sessions, those of streams included.
        session_seconds: Time to live of a session after its last request.
        waiting: Maximum number of jobs that wait for the model.
        batch: Maximum number of requests that are computed as one batch; 1: no batching.
        collect_seconds: Time that a request waits for others of its kind, if the model is free.

    Example:
        >>> Limits(batch=1).batch
        1
    """

    body: int = 8 << 20
    inputs: int = 64
    length: int = 10_000
    tokens: int = 2_000
    seconds: float = 30.0
    sessions: int = 100
    session_seconds: float = 600.0
    waiting: int = 256
    batch: int = 64
    collect_seconds: float = 0.003
