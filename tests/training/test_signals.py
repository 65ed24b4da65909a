"""Requests to stop: the first signal is remembered, the second stops at once, and handlers come back."""

import signal
import threading

import pytest

from seqtasks.core.process_signals import stop_signals
from seqtasks.training.signals import StopRequest


@pytest.mark.parametrize("number", stop_signals())
def test_the_second_signal_stops_at_once(number):
    before = signal.getsignal(number)
    with StopRequest() as request:
        assert not request.received
        signal.raise_signal(number)
        assert request.received
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
    assert signal.getsignal(number) is before


def test_in_a_validation_the_first_signal_stops_at_once():
    with StopRequest() as request:
        request.at_once = True
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        assert request.received


def test_other_threads_have_no_handlers():
    before, seen = signal.getsignal(signal.SIGINT), []

    def work():
        with StopRequest() as request:
            seen.extend([signal.getsignal(signal.SIGINT), request.received])

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(10)
    assert seen == [before, False]
