"""Address of a server: its port, and whether other machines reach it."""

from __future__ import annotations

import ipaddress
import socket
import sys

from seqtasks.core.errors import ConfigError


def listen(host: str, port: int) -> socket.socket:
    """Opens a port.

    Args:
        host: Name or address of the interface.
        port: Port; 0: a free one.

    Raises:
        ConfigError: The port is in use, or the host is not of this machine.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        opened = socket.socket(family, socket.SOCK_STREAM)
        if sys.platform != "win32":  # there it would allow two servers on one port
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(address)
        opened.listen(128)
    except (OSError, OverflowError) as error:
        raise ConfigError(
            f"cannot listen on {host} port {port}: {getattr(error, 'strerror', None) or error}; allowed: "
            "a free port and an address of this machine; give --port 0 for any free port"
        ) from error
    return opened


def url_of(opened: socket.socket) -> str:
    """The address of an open port for a browser, such as `http://127.0.0.1:8000`."""
    host, port = opened.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a host.

    Example:
        >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("0.0.0.0")
        (True, True, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def host_of(header: bytes) -> str:
    """Name of the host in a header, without the port.

    Example:
        >>> host_of(b"127.0.0.1:8000"), host_of(b"[::1]:8000"), host_of(b"localhost")
        ('127.0.0.1', '::1', 'localhost')
    """
    text = header.decode("latin-1").lower()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0]
