"""Standard streams that are closed, full, or of another encoding; each in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SEQTASKS = f"{sys.executable} -m seqtasks"
PRINT = (
    "from seqtasks.cli.console import print_rows\n"
    "print_rows([{'text': 'a \\u597d caf\\xe9', 'p': float('nan')}], 'FORMAT')"
)


def shell(command: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["bash", "-c", command], capture_output=True, env={**os.environ, **environment})


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("words", ["list cells", "--version", "--help"])
def test_a_full_output_is_one_line(words: str) -> None:
    done = shell(f"{SEQTASKS} {words} > /dev/full")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1 and b"No space left on device; free disk space" in done.stderr


def test_a_closed_pipe_ends_quietly() -> None:
    done = shell(f"{SEQTASKS} list cells | true; echo ${{PIPESTATUS[0]}}")
    assert (done.stdout, done.stderr) == (b"0\n", b"")


def test_messages_may_have_no_place() -> None:
    for closed in ("2>&-", "2>/dev/full"):
        done = shell(f"{SEQTASKS} run no_such_task {closed}")
        assert (done.returncode, done.stdout, done.stderr) == (2, b"", b"")
        assert b"lstm" in shell(f"{SEQTASKS} list cells {closed}").stdout
    assert shell(f"{SEQTASKS} list cells >&-").returncode == 0


def test_a_closed_stream_takes_no_file_s_number(tmp_path: Path) -> None:
    code = "from seqtasks.core import streams; streams.prepare(); print(open('a', 'w').fileno() > 2)"
    assert shell(f'cd {tmp_path}; {sys.executable} -c "{code}" 2>&- <&-').stdout == b"True\n"


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1"])
def test_characters_that_cannot_be_shown_are_replaced(encoding: str) -> None:
    code = "from seqtasks.core import streams; streams.prepare(); " + PRINT
    done = shell(f'{sys.executable} -c "{code}"'.replace("FORMAT", "text"), PYTHONIOENCODING=encoding, PYTHONUTF8="0")
    assert done.returncode == 0 and b"a ? caf" in done.stdout
    done = shell(f'{sys.executable} -c "{code}"'.replace("FORMAT", "json"), PYTHONIOENCODING=encoding, PYTHONUTF8="0")
    assert json.loads(done.stdout) == {"text": "a 好 café", "p": None}
