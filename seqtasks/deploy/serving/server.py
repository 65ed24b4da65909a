"""Server of trained runs: address and token, start, and the end by Ctrl-C or SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from seqtasks.core.errors import ConfigError
from seqtasks.core.extras import require
from seqtasks.deploy.serving.address import is_loopback, listen, url_of
from seqtasks.deploy.serving.limits import Limits

PORT = 8000
PACKAGES = ("fastapi", "uvicorn", "prometheus_client")
FAREWELL = 10  # seconds that requests get when the server ends
KEEP_ALIVE = 30  # seconds that an idle connection stays open


@dataclass(frozen=True)
class Address:
    """Where a server listens, and the token of its requests.

    Attributes:
        host: Name or address of the interface.
        port: Port; 0: a free one.
        token: Bearer token of the requests; None: none is needed.
    """

    host: str = "127.0.0.1"
    port: int = PORT
    token: str | None = None

    def check(self) -> None:
        """Checks that the packages are installed, and that a server which others can reach has a token.

        Raises:
            ConfigError: One of them is not so.
        """
        require(PACKAGES, "seqtasks serve", "serve")
        if self.token is not None and (
            len(self.token) < 16 or not self.token.isascii() or not self.token.isprintable()
        ):
            raise ConfigError(
                f"the token has {len(self.token)} characters; allowed: 16 or more of ASCII; make one: "
                "python -c 'import secrets; print(secrets.token_urlsafe())'"
            )
        if self.token is None and not is_loopback(self.host):
            raise ConfigError(
                f"--host {self.host} can be reached from other machines; allowed without a token: 127.0.0.1, ::1, "
                "localhost; set SEQTASKS_TOKEN, or give --token"
            )


def serve(
    open_runs: Callable[[], Sequence[Any]], address: Address, limits: Limits, *, log_requests: bool = False
) -> None:
    """Serves runs until Ctrl-C or SIGTERM.

    Requests that are being worked on are answered first, for some seconds; streams end after their present event.

    Args:
        open_runs: Function that opens the runs. It is called after the port is open.
        address: Where to serve them.
        limits: Limits of requests.
        log_requests: Whether to print a line for each request.

    Raises:
        ConfigError: The port cannot be opened.
    """
    address.check()
    with listen(address.host, address.port) as opened:
        import uvicorn

        runs = open_runs()
        from seqtasks.deploy.serving.application import application
        from seqtasks.deploy.serving.service import Service

        service = Service(runs, limits)
        # Each unknown character of a request would be a line in the log.
        logging.getLogger("seqtasks.task_types").setLevel(logging.ERROR)
        asyncio.run(service.warm())

        class Server(uvicorn.Server):
            """Server whose streams end when it ends."""

            def handle_exit(self, sig: int, frame: Any) -> None:
                service.streams.stopping = True
                super().handle_exit(sig, frame)

        config = uvicorn.Config(
            application(service, address.token, log_requests),
            log_level="critical",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=FAREWELL,
            timeout_keep_alive=KEEP_ALIVE,
        )
        print(f"{url_of(opened)} (Ctrl-C ends it; /docs describes the requests)", flush=True)
        before = signal.signal(signal.SIGTERM, _ended)  # uvicorn raises the signal again after it has shut down
        with contextlib.suppress(KeyboardInterrupt, SystemExit):
            Server(config).run(sockets=[opened])
        signal.signal(signal.SIGTERM, before)
        service.batcher.close()
        print("stopped", file=sys.stderr)


def _ended(number: int, frame: Any) -> None:
    raise SystemExit(0)
