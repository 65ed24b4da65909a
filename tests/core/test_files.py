"""Paths that a user typed, and files that they named for answers."""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path

import pytest

from seqtasks.core.errors import ConfigError, DataError
from seqtasks.core.files import (
    check_output,
    is_utf8,
    replace,
    shown,
    usable,
    utf8_name,
    write_output,
    write_text,
)


@pytest.mark.parametrize("name", ["x" * 256, "好" * 86, "a\0b", "\ud800", "x/" * 3000])
def test_names_that_no_file_can_have(name: str) -> None:
    with pytest.raises(ConfigError, match=r"--config .* cannot be used as a path: .*; give another path") as error:
        usable(name, "--config")
    assert len(str(error.value)) < 250 and str(error.value).isprintable()


def test_names_of_nothing_are_paths(tmp_path: Path) -> None:
    assert usable(tmp_path / "none" / "a.txt", "--out") == tmp_path / "none" / "a.txt"
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert usable(tmp_path / "file" / "a.txt", "--out").name == "a.txt"


@pytest.mark.parametrize(
    ("name", "suffixes", "says"),
    [
        ("none/a.png", (), "there is no folder none; create it"),
        ("file/a.png", (), "there is no folder file"),
        (".", (), "is a folder; name a file in it"),
        ("a.gif", (".png", ".pdf"), "ends in '.gif'; allowed: .png, .pdf"),
        ("a", (".png",), "has no suffix; allowed: .png"),
        ("x" * 300, (), "cannot be used as a path"),
        ("/proc/none.png", (), "cannot be written"),
    ],
)
def test_outputs_are_checked_before_the_work(
    tmp_path: Path, monkeypatch, name: str, suffixes: tuple[str, ...], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("", encoding="utf-8")
    with pytest.raises(ConfigError, match=re.escape(says)):
        check_output(name, "--heat", suffixes)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_unwritable_folder_is_an_error(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "kept.txt").write_text("", encoding="utf-8")
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # the tests may run as root, who may write anywhere
    with pytest.raises(ConfigError, match=r"kept.txt cannot be written: no permission to write"):
        check_output(tmp_path / "kept.txt", "--out")


def test_outputs_are_written_whole_through_links_and_into_devices(tmp_path: Path) -> None:
    (tmp_path / "real.txt").write_text("old", encoding="utf-8")
    (tmp_path / "link.txt").symlink_to(tmp_path / "real.txt")
    write_output(check_output(tmp_path / "link.txt", "--out"), lambda path: path.write_bytes(b"new"))
    assert (tmp_path / "link.txt").is_symlink() and (tmp_path / "real.txt").read_text(encoding="utf-8") == "new"
    write_output(check_output(os.devnull, "--out"), lambda path: path.write_bytes(b"new"))
    assert Path(os.devnull).is_char_device()


def test_names_that_are_stored_are_utf8() -> None:
    assert utf8_name(Path("a/好.wav")) == "好.wav"
    with pytest.raises(DataError, match=r"the name of a/caf\\udce9 is not UTF-8; rename it"):
        utf8_name(Path("a") / os.fsdecode(b"caf\xe9"))


def test_text_that_utf8_cannot_hold_is_escaped(tmp_path: Path) -> None:
    assert is_utf8("好é") and not is_utf8("caf\udce9")
    assert shown("caf\udce9\n好") == r"caf\udce9\n好"
    write_text(tmp_path / "a.txt", "caf\udce9")
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == r"caf\udce9"


def test_megabytes_are_shown_at_once() -> None:
    began = time.process_time()
    assert shown("\0" * 30_000_000 + "end", 40).endswith("\\x00end") and time.process_time() - began < 0.5


class Busy(type(Path())):
    """A file that another program has open on Windows, for the first attempts to rename it."""

    left = 0

    def replace(self, target: Path) -> Path:
        if Busy.left:
            Busy.left -= 1
            raise PermissionError(13, "The process cannot access the file because it is being used by another process")
        return super().replace(target)


def test_windows_renames_once_the_file_is_free(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    (tmp_path / "new").write_text("new", encoding="utf-8")
    Busy.left = 3
    replace(Busy(tmp_path / "new"), tmp_path / "old")
    assert Busy.left == 0 and (tmp_path / "old").read_text(encoding="utf-8") == "new"


@pytest.mark.parametrize("platform", ["linux", "win32"])
def test_a_file_that_stays_busy_is_an_error(tmp_path: Path, monkeypatch, platform: str) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    (tmp_path / "new").write_text("new", encoding="utf-8")
    Busy.left = 10**9
    with pytest.raises(PermissionError, match="used by another process"):
        replace(Busy(tmp_path / "new"), tmp_path / "old", seconds=0.1)
    assert (10**9 - Busy.left == 1) == (platform == "linux")
    Busy.left = 0


def test_the_flushed_file_is_open_for_writing(tmp_path: Path, monkeypatch) -> None:
    def fsync(number: int) -> None:  # as Windows does
        os.write(number, b"")

    monkeypatch.setattr(os, "fsync", fsync)
    write_text(tmp_path / "a", "text")
    assert (tmp_path / "a").read_text(encoding="utf-8") == "text"
