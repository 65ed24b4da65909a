"""Facts that `show` keeps of a data set: as long as its files are unchanged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from seqtasks.data import cache
from seqtasks.data.source import Source
from seqtasks.training import known_data

DATA = known_data.KnownData(["two texts", "one label"], {"task": "t", "seed": 1})
REQUEST = "0123456789abcdef"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SEQTASKS_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "train.txt").write_text("ab", encoding="utf-8")
    return folder


def remember(folder: Path) -> None:
    source = Source("files", str(folder), folder)
    known_data.remember(DATA, REQUEST, source, f"files:{folder}", None)


def test_it_is_known_until_a_file_changes_or_comes(folder: Path) -> None:
    assert known_data.recall(REQUEST, None) is None
    remember(folder)
    assert known_data.recall(REQUEST, None) == DATA
    assert known_data.recall(REQUEST.replace("0", "f"), None) is None
    (folder / "train.txt").write_text("abc", encoding="utf-8")
    assert known_data.recall(REQUEST, None) is None
    remember(folder)
    assert known_data.recall(REQUEST, None) == DATA
    (folder / "test.txt").write_text("abc", encoding="utf-8")
    assert known_data.recall(REQUEST, None) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"request": "0123456789abcdef"}'])
def test_a_damaged_file_is_as_none(folder: Path, text: str) -> None:
    remember(folder)
    (path,) = cache.cache_dir().iterdir()
    assert json.loads(path.read_text(encoding="utf-8"))["lines"] == DATA.lines
    path.write_text(text, encoding="utf-8")
    assert known_data.recall(REQUEST, None) is None
    remember(folder)
    assert cache.clear() == 1 and known_data.recall(REQUEST, None) is None


def test_a_cache_that_cannot_be_written_is_no_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEQTASKS_CACHE", str(folder / "train.txt"))
    remember(folder)
    assert known_data.recall(REQUEST, None) is None
