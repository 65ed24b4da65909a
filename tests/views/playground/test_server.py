"""Address, password and headers of the playground."""

from __future__ import annotations

import importlib.util
import socket
from pathlib import Path

import pytest

from seqtasks.core.errors import ConfigError
from seqtasks.views.playground import server
from seqtasks.views.playground.server import Address

from .tiny_runs import opened, unpack


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gradio counts as installed."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())


def test_gradio_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"not installed; run pip install 'seqtasks\[app\]'"):
        Address().check()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "example.org"])
def test_others_need_a_password(installed: None, host: str) -> None:
    with pytest.raises(ConfigError, match="add --password, or set SEQTASKS_PASSWORD"):
        Address(host).check()
    Address(host, password="secret").check()
    with pytest.raises(ConfigError, match="--password is empty"):
        Address(host, password="").check()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.0.1", "::1", "localhost"])
def test_this_machine_needs_none(installed: None, host: str) -> None:
    Address(host).check()


def test_a_port_in_use_is_named() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(
            ConfigError, match=f"cannot listen on 127.0.0.1 port {port}: Address already in use; allowed"
        ):
            Address(port=port).listen()
    with pytest.raises(ConfigError, match=r"cannot listen on 192\.0\.2\.1"):
        Address("192.0.2.1", 0).listen()
    with Address(port=0).listen() as free:
        assert free.getsockname()[1] > 0


@pytest.mark.slow
def test_the_page_is_closed_without_the_password_and_names_no_other_server(tmp_path: Path) -> None:
    pytest.importorskip("gradio", reason="Gradio is not installed: the extra `app`")
    from starlette.testclient import TestClient

    from seqtasks.views.playground import page

    panels = page.panels_of([opened(unpack(tmp_path), "sentiment")])
    secret = TestClient(server.application(page.build(panels), page.css(), "päss"))
    assert secret.get("/config").status_code == 401
    assert secret.post("/login", data={"username": "a", "password": "wrong"}).status_code == 400
    assert secret.get("/config").status_code == 401
    assert secret.post("/login", data={"username": "a", "password": "päss"}).status_code == 200
    assert secret.get("/config").status_code == 200
    answered = TestClient(server.application(page.build(panels), page.css(), None)).get("/")
    assert answered.status_code == 200 and "connect-src 'self'" in answered.headers["content-security-policy"]
