"""Where messages are printed: standard error, and in a notebook standard output, one stream of text."""

from __future__ import annotations

import logging

import pytest
from rich.console import Console

from seqtasks.core.reporter import Reporter, held_messages, message_stream


def test_messages_go_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    reporter = Reporter()
    reporter.say("a [b] message")
    print("progress", file=message_stream())
    assert capsys.readouterr() == ("", "a [b] message\nprogress\n")
    assert not reporter.notebook


def test_in_a_notebook_they_go_to_standard_output(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    assert Console().is_jupyter
    reporter = Reporter()
    reporter.say("a message")
    print("progress", file=message_stream())
    assert capsys.readouterr() == ("a message\nprogress\n", "")
    assert reporter.notebook and not reporter.console.is_jupyter
    Reporter(quiet=True).say("a message")
    assert capsys.readouterr() == ("", "")


def test_log_messages_are_held_until_the_end(caplog: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger("seqtasks.data.of_this_test")
    with held_messages() as messages:
        log.warning("dropped")
        messages.clear()
        log.warning("kept %d", 1)
        logging.getLogger("another.package").warning("at once")
        assert caplog.messages == ["at once"]
    log.warning("after")
    assert caplog.messages == ["at once", "kept 1", "after"]


def test_held_messages_are_logged_before_an_error(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ValueError, match="broken"), held_messages():
        logging.getLogger("seqtasks.data.of_this_test").warning("the reason")
        raise ValueError("broken")
    assert caplog.messages == ["the reason"]
