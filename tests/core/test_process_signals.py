"""Signals of this system and of Windows, which is imitated: it has no SIGHUP, and can only send Ctrl-Break."""

import signal
import subprocess
import sys

import pytest

from seqtasks.core.process_signals import group_options, pass_on, stop_signals


class Child:
    """Notes the signals that it is sent, as a process would get them."""

    def __init__(self):
        self.numbers = []

    def send_signal(self, number):
        self.numbers.append(number)


@pytest.fixture
def windows(monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.delattr(signal, "SIGHUP", raising=False)
    monkeypatch.setattr(signal, "CTRL_BREAK_EVENT", 1, raising=False)
    monkeypatch.setattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 512, raising=False)


def test_an_ignored_sighup_is_left_alone():
    if not hasattr(signal, "SIGHUP"):
        pytest.skip("Windows")
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        assert stop_signals() == [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # nohup
        assert stop_signals() == [signal.SIGINT, signal.SIGTERM]
    finally:
        signal.signal(signal.SIGHUP, before)


def test_windows(windows):
    assert stop_signals() == [signal.SIGINT, signal.SIGTERM]
    assert group_options() == {"creationflags": 512}
    child = Child()
    pass_on(child, signal.SIGINT)
    pass_on(child, signal.SIGTERM)
    assert child.numbers == [1, 1]


def test_a_child_gets_signals_from_its_parent_only():
    code = "import os, sys, time; print(os.getpgid(0) == os.getpid(), flush=True); time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, **group_options())
    try:
        assert child.stdout.readline() == "True\n"
        pass_on(child, signal.SIGHUP)
        assert child.wait(30) == -signal.SIGTERM
    finally:
        child.kill()
        child.communicate()


def test_ctrl_c_is_passed_on_as_such():
    child = Child()
    pass_on(child, signal.SIGINT)
    pass_on(child, signal.SIGHUP)
    assert child.numbers == [signal.SIGINT, signal.SIGTERM]
