"""Server of the playground: address, password, headers, and the end by Ctrl-C."""

from __future__ import annotations

import contextlib
import hmac
import os
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Any

from seqtasks.core.errors import ConfigError
from seqtasks.core.extras import require
from seqtasks.deploy.serving.address import is_loopback, listen, url_of

PORT = 7860
# The browser loads nothing from elsewhere, whatever the page or an answer in it names.
POLICY = (
    "default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval'; connect-src 'self' data: blob:; "
    "frame-ancestors 'self'; form-action 'self'"
)
MOST_BYTES = "100mb"  # maximum size of an uploaded file
FAREWELL = 1  # seconds that open connections get when the server ends


@dataclass(frozen=True)
class Address:
    """Where the playground is served, and to whom.

    Attributes:
        host: Name or address of the interface.
        port: Port; 0: a free one.
        password: Password of the page; None: none.
    """

    host: str = "127.0.0.1"
    port: int = PORT
    password: str | None = None

    def check(self) -> None:
        """Checks that Gradio is installed, and that a page which others can reach has a password.

        Raises:
            ConfigError: One of them is not so.
        """
        require(["gradio"], "seqtasks app", "app")
        if self.password == "":
            raise ConfigError("--password is empty; allowed: one or more characters; give another or leave it out")
        if self.password is None and not is_loopback(self.host):
            raise ConfigError(
                f"--host {self.host} can be reached from other machines; allowed without a password: 127.0.0.1, ::1, "
                "localhost; add --password, or set SEQTASKS_PASSWORD"
            )

    def listen(self) -> socket.socket:
        """Opens the port.

        Raises:
            ConfigError: The port is in use, or the host is not of this machine.
        """
        return listen(self.host, self.port)


def serve(build: Callable[[], tuple[Any, str]], address: Address, open_browser: bool) -> None:
    """Serves the page until Ctrl-C.

    Args:
        build: Function that returns the page and its style sheet. It is called after the port is open.
        address: Where to serve it.
        open_browser: Whether to open the page in a browser.

    Raises:
        ConfigError: The port cannot be opened.
    """
    address.check()
    with address.listen() as opened, TemporaryDirectory(prefix="seqtasks-app-") as folder:
        off = dict.fromkeys(("GRADIO_ANALYTICS_ENABLED", "GRADIO_RUN_HISTORY"), "False")
        os.environ |= {**off, "GRADIO_TEMP_DIR": folder, "HF_HUB_OFFLINE": "1"}
        import uvicorn

        app = application(*build(), address.password)
        url = f"{url_of(opened)}/"
        # Below "critical" uvicorn logs a traceback for each page that is still open at the end.
        server = uvicorn.Server(
            uvicorn.Config(app, log_level="critical", access_log=False, timeout_graceful_shutdown=FAREWELL)
        )
        print(f"{url} (Ctrl-C ends it)", flush=True)
        if open_browser and _has_display():
            threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
        with contextlib.suppress(KeyboardInterrupt):  # uvicorn has shut down
            server.run(sockets=[opened])
        print("stopped", file=sys.stderr)


def application(page: Any, css: str, password: str | None) -> Any:
    """The ASGI application of the page.

    Args:
        page: Gradio's `Blocks`.
        css: Style sheet of the page.
        password: Password; None: none.
    """
    import gradio as gr
    from fastapi import FastAPI

    def right(user: str, given: str) -> bool:
        return hmac.compare_digest(given.encode(), (password or "").encode())

    app = gr.mount_gradio_app(
        FastAPI(docs_url=None, redoc_url=None, openapi_url=None),
        page,
        path="/",
        css=css,
        auth=None if password is None else right,
        auth_message="Any user name, and the password of the playground.",
        footer_links=[],
        show_error=True,
        max_file_size=MOST_BYTES,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
    )
    return with_policy(app)


def with_policy(app: Any) -> Any:
    """The application with a header that forbids the page to load anything from other servers.

    Args:
        app: ASGI application.
    """

    async def answered(scope: Any, receive: Any, send: Any) -> None:
        async def send_with_policy(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"content-security-policy", POLICY.encode())]
            await send(message)

        await app(scope, receive, send_with_policy)

    return answered


def _has_display() -> bool:
    """Whether a browser would open a window; a browser in the terminal would take it over."""
    if sys.platform in ("darwin", "win32"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
