"""A server in a thread of the test, for clients that need a port."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def serving(service: Any) -> Iterator[str]:
    """Serves on a free port of this machine; yields host:port."""
    import uvicorn

    from seqtasks.deploy.serving.address import listen
    from seqtasks.deploy.serving.application import application

    with listen("127.0.0.1", 0) as opened:
        config = uvicorn.Config(application(service), log_level="critical", access_log=False)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [opened]}, daemon=True)
        thread.start()
        until = time.monotonic() + 30
        while not server.started and time.monotonic() < until:
            time.sleep(0.01)
        yield f"127.0.0.1:{opened.getsockname()[1]}"
        server.should_exit = True
        thread.join(30)
