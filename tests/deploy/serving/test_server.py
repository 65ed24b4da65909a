"""A server as a process: Ctrl-C, SIGTERM, clients that go away, hosts and tokens, code of a run folder."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from seqtasks.core.errors import ConfigError
from seqtasks.deploy.serving.server import Address

from ...views.playground.tiny_runs import unpack


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The packages count as installed."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())


def test_the_packages_are_needed(cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    code, _, err = cli("serve", "any")
    assert code == 2 and "pip install 'seqtasks[serve]'" in err and err.count("\n") == 1


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "example.org"])
def test_others_need_a_token(installed: None, host: str) -> None:
    with pytest.raises(ConfigError, match="set SEQTASKS_TOKEN, or give --token"):
        Address(host).check()
    Address(host, token="a-secret-of-16-x").check()
    for wrong in ("", "short", "ä" * 20, "a\n" * 10):
        with pytest.raises(ConfigError, match="allowed: 16 or more"):
            Address(host, token=wrong).check()


def test_a_folder_that_is_no_run_and_a_baseline(cli, installed: None, tmp_path: Path) -> None:
    code, _, err = cli("serve", "nothing-here")
    assert code == 2 and err.startswith("seqtasks: ") and err.count("\n") == 1
    folder = tmp_path / "adding-the mean-0123abcd"
    folder.mkdir()
    (folder / "run.json").write_text('{"format": 2, "task": "adding"}')
    (folder / "result.json").write_text("{}")
    code, _, err = cli("serve", folder)
    assert code == 2 and "has no model.keras" in err and err.count("\n") == 1


class Served:
    """A server in a process of its own."""

    def __init__(self, *words: object):
        pytest.importorskip("fastapi", reason="FastAPI is not installed: the extra `serve`")
        command = [sys.executable, "-m", "seqtasks", "serve", *map(str, words), "--port", "0", "--quiet"]
        environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )
        line = self.process.stdout.readline()
        if not line:
            pytest.fail(self.process.stderr.read())
        self.port = int(re.search(r"http://127.0.0.1:(\d+)", line)[1])

    def get(self, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=30) as answer:
            return answer.read().decode()

    def gauge(self, name: str) -> float:
        return float(re.search(rf"^{name} (\S+)$", self.get("/metrics"), re.M)[1])

    def stream(self, **body: object) -> socket.socket:
        """A connection that has got the first events of a stream."""
        data = json.dumps(body).encode()
        opened = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        head = "POST /generate HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        opened.sendall(f"{head}content-length: {len(data)}\r\n\r\n".encode() + data)
        received = b""
        while received.count(b"data:") < 2:
            received += opened.recv(1000)
        return opened

    def end(self, sent: signal.Signals) -> None:
        self.process.send_signal(sent)
        _, err = self.process.communicate(timeout=120)
        assert self.process.returncode == 0 and err.endswith("stopped\n") and "Traceback" not in err, err


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpack(tmp_path_factory.mktemp("runs"))


@pytest.fixture
def served(runs: Path) -> Iterator[Served]:
    made = Served(next(runs.glob("char_lm-*")), "--max-tokens", 10**7)
    yield made
    if made.process.poll() is None:
        made.process.kill()
        made.process.communicate()


@pytest.mark.slow
def test_a_client_that_goes_away_frees_its_session_and_sigterm_ends_streams(served: Served) -> None:
    first = served.stream(prompt="The ", options={"length": 10**6})
    second = served.stream(prompt="The ", options={"length": 10**6}, keep=True)
    assert served.gauge("seqtasks_open_sessions") == 2
    first.close()
    second.close()
    until = time.monotonic() + 10
    while served.gauge("seqtasks_open_sessions") and time.monotonic() < until:
        time.sleep(0.05)
    assert served.gauge("seqtasks_open_sessions") == 0
    third = served.stream(prompt="The ", options={"length": 10**6})
    begun = time.monotonic()
    served.end(signal.SIGTERM)
    rest = b""
    while data := third.recv(65536):
        rest += data
    assert b'event: error\ndata: {"error": "the session has ended' in rest and rest.endswith(b"0\r\n\r\n")
    assert time.monotonic() - begun < 60  # the rest of the text takes much longer


@pytest.mark.slow
def test_ctrl_c(served: Served) -> None:
    assert json.loads(served.get("/models"))[0]["task"] == "char_lm"
    served.end(signal.SIGINT)


def test_code_of_a_run_folder_runs_with_trust_only(cli, runs: Path, tmp_path: Path) -> None:
    pytest.importorskip("uvicorn", reason="uvicorn is not installed: the extra `serve`")
    folder = tmp_path / "adding-gru-0123abcd"
    shutil.copytree(next(runs.glob("adding-*")), folder)
    marker = tmp_path / "executed"
    (folder / "mine.py").write_text(f"open({str(marker)!r}, 'w').close()\nraise SystemExit(7)\n")
    facts = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(facts | {"plugin": "mine.py"}))
    code, _, err = cli("serve", folder, "--port", 0)
    assert code == 2 and "has its own code" in err and not marker.exists()
