"""`seqtasks app`: wrong requests end with one line, before anything slow."""

from __future__ import annotations

import importlib.util
import socket
from pathlib import Path

import pytest


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())


def test_a_folder_that_is_no_run(cli, installed: None) -> None:
    code, _, err = cli("app", "nothing-here")
    assert code == 2 and err.startswith("seqtasks: ") and err.count("\n") == 1


def test_a_baseline(cli, installed: None, tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "adding-the mean-0123abcd"
    folder.mkdir(parents=True)
    (folder / "run.json").write_text('{"format": 2, "task": "adding"}')
    (folder / "result.json").write_text("{}")
    code, _, err = cli("app", folder)
    assert code == 2 and "it is a baseline or a trial" in err and err.count("\n") == 1


def test_a_host_that_others_reach(cli, installed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEQTASKS_PASSWORD", raising=False)
    code, _, err = cli("app", "any", "--host", "0.0.0.0")
    assert code == 2 and "add --password" in err and err.count("\n") == 1


def test_without_gradio(cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    code, _, err = cli("app", "any")
    assert code == 2 and "pip install 'seqtasks[app]'" in err and err.count("\n") == 1


def test_a_port_in_use(cli, installed: None, tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "adding-gru-0123abcd"
    folder.mkdir(parents=True)
    for name in ("run.json", "result.json", "model.keras"):
        (folder / name).write_text('{"format": 2, "task": "adding"}')
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        code, _, err = cli("app", folder, "--port", str(other.getsockname()[1]))
    assert code == 2 and "Address already in use" in err and err.count("\n") == 1
