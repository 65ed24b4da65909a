"""Whether the network can be reached, asked by a child process.

A name lookup has no timeout, and a thread inside OpenSSL crashes an interpreter that ends meanwhile. A child process
can be killed at any time. It runs this file as a script, so nothing outside the standard library is imported here.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from types import TracebackType

# tensorflow-datasets downloads from many hosts; with network access at least one of these two answers.
HOSTS = ["https://storage.googleapis.com/", "https://raw.githubusercontent.com/"]


def network(timeout: float = 5.0) -> bool:
    """Whether a host that tensorflow-datasets downloads from answers, through the proxy if one is set.

    Args:
        timeout: Maximum time in seconds.
    """
    with Probe() as probe:
        return bool(probe.answer(timeout))


class Probe:
    """A child process that sends a request to each of `HOSTS`; use it in a `with` statement, which ends it.

    Example:
        >>> from seqtasks.data.network import Probe
        >>> with Probe() as probe:
        ...     answer = probe.answer(timeout=5.0)
    """

    def __init__(self) -> None:
        code = [sys.executable, "-I", "-S", __file__, *HOSTS]
        self._process = subprocess.Popen(
            code, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def answer(self, timeout: float) -> bool | None:
        """Whether a host answered; None: not known after `timeout` seconds."""
        try:
            return self._process.wait(timeout) == 0
        except subprocess.TimeoutExpired:
            return None

    def __enter__(self) -> Probe:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._process.kill()
        self._process.wait()


def _ask(hosts: list[str]) -> None:
    """Ends this process with exit code 0 as soon as a host answers, with 1 if none does."""
    import os
    import urllib.error
    import urllib.request

    def ask(url: str) -> None:
        try:
            urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=30).close()
        except urllib.error.HTTPError:
            pass  # an HTTP error is an answer, too
        except Exception:
            return  # no route, no name, refused by the proxy, or an answer that is not HTTP
        os._exit(0)

    threads = [threading.Thread(target=ask, args=(url,)) for url in hosts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    os._exit(1)


if __name__ == "__main__":
    _ask(sys.argv[1:])
