"""Generated text as server-sent events, whose session ends with the connection."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from typing import Any

from seqtasks.core.errors import SeqtasksError
from seqtasks.deploy.serving.served_model import ServedModel
from seqtasks.deploy.serving.sessions import Session, Sessions

CHUNK = 8  # number of tokens of an event
log = logging.getLogger(__name__)


def event(data: dict[str, Any], name: str | None = None) -> bytes:
    """A server-sent event.

    Args:
        data: Data of the event, sent as JSON.
        name: Name of the event; None: `message`.

    Example:
        >>> event({"text": "a"})
        b'data: {"text": "a"}\\n\\n'
    """
    head = "" if name is None else f"event: {name}\n"
    return f"{head}data: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


class TextStreams:
    """Streams of generated text.

    Args:
        sessions: Open sessions.
        seconds: Maximum time until the next event.

    Attributes:
        stopping: Whether the server ends; each stream then ends after its present event.
    """

    def __init__(self, sessions: Sessions, seconds: float):
        self.sessions, self.seconds, self.stopping = sessions, seconds, False

    async def events(
        self, model: ServedModel, session: Session, options: Any, prefix: str, keep: bool
    ) -> AsyncIterator[bytes]:
        """Yields the events of a text, and ends its session if the client goes away.

        Args:
            model: The model.
            session: A session that the request has taken, and that has read a text.
            options: Options of `predict`.
            prefix: Text before the continuation.
            keep: Whether the session stays open after the last event.
        """
        before, complete = len(session.generated), False
        try:
            if prefix:
                yield event({"text": prefix})
            parts = model.generate(session, options, CHUNK)
            while True:
                async with asyncio.timeout(self.seconds):
                    text = await anext(parts, None)
                if text is None:
                    break
                yield event({"text": text})
                if self.stopping or not self.sessions.is_open(session):
                    yield event({"error": "the session has ended; open a new one"}, "error")
                    return
                self.sessions.touch(session)
            complete = True
            kept = session.id if keep else None
            yield event({"tokens": len(session.generated) - before, "session": kept}, "end")
        except SeqtasksError as error:
            yield event({"error": " ".join(str(error).split())}, "error")
        except TimeoutError:
            yield event({"error": f"no text within {self.seconds:g} s; send the request again"}, "error")
        finally:
            self._end(session, keep and complete)

    async def whole(self, model: ServedModel, session: Session, options: Any, prefix: str, keep: bool) -> str:
        """Generates a text as a whole; arguments as for `events`."""
        complete = False
        try:
            text = prefix + "".join([part async for part in model.generate(session, options)])
            complete = True
            return text
        finally:
            self._end(session, keep and complete)

    def _end(self, session: Session, keep: bool) -> None:
        if keep:
            self.sessions.release(session)
        else:
            self.sessions.remove(session)
