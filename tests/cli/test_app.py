"""Messages of errors: one printable line, also for exhausted memory and for Ctrl-C before the command begins."""

import subprocess
import sys

import pytest

from seqtasks.core.errors import DataError


class ResourceExhaustedError(Exception):
    """As of TensorFlow."""


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (MemoryError(), 1, "seqtasks: out of memory; allowed: what fits into the memory of this machine; set "),
        (MemoryError("Unable to allocate 9 TiB"), 1, "seqtasks: out of memory (Unable to allocate 9 TiB); allowed"),
        (ResourceExhaustedError("OOM when\nallocating"), 1, "seqtasks: out of memory (OOM when); allowed: "),
        (RuntimeError("RESOURCE_EXHAUSTED: Out of memory"), 1, "seqtasks: out of memory (RESOURCE_EXHAUSTED: Out "),
        (DataError("a\x1b[31m\n\ttext\ud800"), 2, "seqtasks: a\\x1b[31m text\\ud800"),
        (KeyboardInterrupt(), 130, "seqtasks: stopped"),
    ],
)
def test_every_error_is_one_printable_line(cli, monkeypatch, error, code, message):
    from seqtasks.cli import show

    def fail(*_):
        raise error

    monkeypatch.setattr(show, "print_lists", fail)
    actual, _, text = cli("list")
    assert actual == code and text.startswith(message) and text.count("\n") == 1 and text.strip().isprintable()


def test_a_long_message_is_cut(cli, monkeypatch):
    from seqtasks.cli import show

    def fail(*_):
        raise DataError("x" * 50_000 + "; do this")

    monkeypatch.setattr(show, "print_lists", fail)
    _, _, text = cli("list")
    assert 1000 < len(text) < 2100 and text.endswith("; do this\n")


def test_other_errors_are_our_own_and_have_a_traceback(cli, monkeypatch):
    from seqtasks.cli import show

    monkeypatch.setattr(show, "print_lists", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        cli("list")


def test_ctrl_c_while_the_command_line_is_imported():
    code = (
        "import os, signal, sys\n"
        "class Find:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'typer':\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "sys.meta_path.insert(0, Find())\n"
        "sys.argv = ['seqtasks', 'list']\n"
        "from seqtasks.__main__ import main\n"
        "main()\n"
    )
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (child.returncode, child.stderr) == (130, "seqtasks: stopped\n")
