"""Runs on the Hugging Face Hub, against a local imitation of its API; the Hub itself is not asked."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from seqtasks.core.errors import ConfigError, DataError, RunError
from seqtasks.deploy import archive, hub
from seqtasks.experiments import results, run_folder

from ..views.playground.tiny_runs import unpack

pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed: the extra `hub`")
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Api(BaseHTTPRequestHandler):
    """The parts of the API that pushing and pulling use: create, preupload, commit, info, resolve."""

    files: dict[str, bytes] = {}
    repositories: set[str] = set()

    def log_message(self, *arguments: object) -> None:
        pass

    def answer(self, status: int, body: object = None, headers: dict[str, str] | None = None) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in ({"content-length": str(len(data))} | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.path == "/api/repos/create":
            self.repositories.add("someone/tagger")
            self.answer(200, {"url": f"http://{self.headers['host']}/someone/tagger"})
        elif self.path == "/api/validate-yaml":
            self.answer(200, {"errors": [], "warnings": []})
        elif "/preupload/" in self.path:
            names = [file["path"] for file in json.loads(body)["files"]]
            self.answer(200, {"files": [{"path": n, "uploadMode": "regular", "shouldIgnore": False} for n in names]})
        elif "/commit/" in self.path:
            for line in body.splitlines():
                part = json.loads(line)
                if part["key"] == "file":
                    self.files[part["value"]["path"]] = base64.b64decode(part["value"]["content"])
            url = f"http://{self.headers['host']}/someone/tagger/commit/{COMMIT}"
            self.answer(200, {"commitUrl": url, "commitOid": COMMIT, "pullRequestUrl": None})
        else:
            self.answer(404, {"error": "not part of the imitation"})

    def do_GET(self) -> None:
        if self.path.startswith("/api/models/someone/tagger") and self.files:
            siblings = [{"rfilename": name, "size": len(data)} for name, data in self.files.items()]
            siblings.append({"rfilename": ".gitattributes", "size": 10})
            self.answer(200, {"id": "someone/tagger", "sha": COMMIT, "siblings": siblings})
            return
        name = self.path.partition(f"/resolve/{COMMIT}/")[2]
        if name not in self.files:
            self.answer(404, {"error": "Repository not found"}, {"x-error-code": "RepoNotFound"})
            return
        data = self.files[name]
        etag = f'"{hashlib.sha1(data).hexdigest()}"'
        self.answer(200, data, {"etag": etag, "x-repo-commit": COMMIT, "accept-ranges": "bytes"})

    do_HEAD = do_GET  # noqa: N815


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Api]]:
    """The imitation; huggingface_hub asks it instead of the Hub."""
    import huggingface_hub
    from huggingface_hub import constants

    Api.files, Api.repositories = {}, set()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_address[1]}"
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setattr(huggingface_hub.HfApi, "__init__", _with(huggingface_hub.HfApi.__init__, address))
    monkeypatch.setenv("HF_TOKEN", "hf_" + "a" * 34)
    yield Api
    server.shutdown()
    server.server_close()


def _with(initialise, address: str):
    def initialised(self, *arguments, **keywords) -> None:
        initialise(self, *arguments, **{"endpoint": address} | keywords)

    return initialised


def test_a_run_is_pushed_and_pulled(api: type[Api], tmp_path: Path) -> None:
    run = run_folder.open_run(next(unpack(tmp_path).glob("tagging-*")))
    hub.push(run, "hf://someone/tagger", licence="MIT")
    assert {"README.md", "SHA256SUMS", "model.keras", "run.json", "result.json"} <= api.files.keys()
    assert api.files["README.md"].startswith(b"---\nlibrary_name: seqtasks\nlicense: mit\n")
    pulled = hub.pull("hf://someone/tagger", tmp_path / "others")
    assert results.read(pulled.path) == results.read(run.path)
    assert [path.name for path in (tmp_path / "others").iterdir()] == [pulled.path.name]
    assert {p.name for p in pulled.path.iterdir()} >= {"model.keras"} and not (pulled.path / ".cache").exists()
    with pytest.raises(RunError, match="exists; allowed: a new run"):
        hub.pull("hf://someone/tagger", tmp_path / "others")


def test_what_is_refused(api: type[Api], tmp_path: Path) -> None:
    run = run_folder.open_run(next(unpack(tmp_path).glob("tagging-*")))
    hub.push(run, "hf://someone/tagger")
    whole = dict(api.files)
    for change, message in (
        ({"config.yaml": whole["config.yaml"] + b"\n"}, "wrong checksum"),
        ({"evil.py": b"import os"}, "not in the list of checksums"),
        ({"../evil": b""}, "has .."),
        ({"result.json": b'{"run": "../../evil"}'}, "not allowed|without /"),
        ({"result.json": b"[]"}, "is damaged"),
    ):
        api.files = whole | change
        with pytest.raises(DataError, match=message):
            hub.pull("hf://someone/tagger", tmp_path / "others")
        assert not (tmp_path / "others").exists() or not list((tmp_path / "others").iterdir())
    api.files = {"README.md": b"another model"}
    with pytest.raises(DataError, match=r"has no result.json"):
        hub.pull("hf://someone/tagger", tmp_path / "others")
    api.files = {}
    with pytest.raises(RunError, match="allowed: a repository that you may use") as error:
        hub.pull("hf://someone/tagger", tmp_path / "others")
    assert "\n" not in str(error.value)


def test_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    assert hub.parse("hf://a/b@v1") == ("a/b", "v1")
    for wrong in ("hf://a", "hf://a/b/c", "hf:///b", "hf://a/b@", "http://a/b"):
        with pytest.raises(ConfigError, match="allowed: hf://OWNER/NAME"):
            hub.parse(wrong)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'seqtasks\[hub\]'"):
        hub.parse("hf://a/b")
    assert "huggingface_hub" in sys.modules and archive.SUMS == "SHA256SUMS"
