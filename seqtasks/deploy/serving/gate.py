"""Middleware of all requests: request id, token, host, limits of body and time, metrics, errors in one line."""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import re
import time
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.exceptions import HTTPException

from seqtasks.deploy.serving.address import host_of, is_loopback
from seqtasks.deploy.serving.limits import Limits
from seqtasks.deploy.serving.metrics import Metrics

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
OPEN = ("/v2/health/live", "/v2/health/ready")  # paths that need no token
REQUEST_ID = re.compile(rb"[\w.:-]{1,128}")
log = logging.getLogger(__name__)


class Gate:
    """ASGI middleware around the application.

    Args:
        app: The application.
        limits: Limits of the server.
        metrics: Metrics of the server.
        token: Bearer token of the requests; None: none is needed, and only this machine may be the host.
        every: Log every request, not only failures.
    """

    def __init__(self, app: Any, limits: Limits, metrics: Metrics, token: str | None = None, every: bool = False):
        self.app, self.limits, self.metrics, self.every = app, limits, metrics, every
        self._token = None if token is None else token.encode()

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Answers a request, see ASGI."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        request_id = headers.get(b"x-request-id", b"")
        if not REQUEST_ID.fullmatch(request_id):
            request_id = uuid.uuid4().hex.encode()
        begun, status = time.perf_counter(), 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", []), (b"x-request-id", request_id)]
            await send(message)

        try:
            refusal = self._refusal(scope, headers)
            if refusal is not None:
                await error_response(answer, *refusal)
            else:
                await self.app(scope, self._limited(receive), answer)
        except Exception:
            log.exception("request %s to %s failed", request_id.decode(), scope["path"])
            if not status:
                await error_response(answer, 500, "the server failed; see its log; send the request id with a report")
        finally:
            self._record(scope, status, time.perf_counter() - begun, request_id)

    def _record(self, scope: Any, status: int, seconds: float, request_id: bytes) -> None:
        route = scope.get("route")
        path = getattr(route, "path", "other")
        self.metrics.requests.labels(path, str(status or "none")).inc()
        self.metrics.seconds.labels(path).observe(seconds)
        if self.every:
            log.warning(
                "%s %s %s %.1f ms %s", scope["method"], scope["path"], status, 1e3 * seconds, request_id.decode()
            )

    def _refusal(self, scope: Any, headers: dict[bytes, bytes]) -> tuple[int, str] | None:
        """Status and message of a request that is refused unread; None: it is not refused."""
        if self._token is not None and scope["path"] not in OPEN:
            scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
            if scheme.lower() != b"bearer" or not hmac.compare_digest(token.strip(), self._token):
                return 401, "no valid token; allowed: the header Authorization: Bearer TOKEN; send the server's token"
        if self._token is None and not is_loopback(host_of(headers.get(b"host", b""))):
            # A page of another site whose name was made to point to this machine would be read as if it were ours.
            return 400, "the header Host is not of this machine; allowed: localhost, 127.0.0.1; serve with a token"
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and int(length) > self.limits.body:
            return 413, self._too_large()
        if headers.get(b"content-encoding", b"identity") != b"identity":
            return 415, "the body is compressed; allowed: plain bodies; send it without Content-Encoding"
        return None

    def _too_large(self) -> str:
        return f"the body is too large; allowed: {self.limits.body:,} bytes; send less, or several requests"

    def _limited(self, receive: Receive) -> Receive:
        """`receive` with limits of size and time for the body."""
        size, complete = 0, False

        async def limited() -> Message:
            nonlocal size, complete
            if complete:  # now it waits for the end of the connection
                return await receive()
            try:
                async with asyncio.timeout(self.limits.seconds):
                    message = await receive()
            except TimeoutError as error:
                raise HTTPException(
                    408, f"the body did not arrive; allowed: {self.limits.seconds:g} s; send it at once"
                ) from error
            size += len(message.get("body", b""))
            complete = message["type"] != "http.request" or not message.get("more_body", False)
            if size > self.limits.body:
                raise HTTPException(413, self._too_large())
            return message

        return limited


async def error_response(send: Send, status: int, message: str) -> None:
    """Sends an error as JSON of one line."""
    body = json.dumps({"error": message}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
