"""Requests to stop: the first signal is remembered, the second stops at once, and handlers come back."""

import signal
import threading

import pytest

from seqtasks.training.signals import StopRequest


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_second_signal_stops_at_once(number):
    before = signal.getsignal(number)
    with StopRequest() as request:
        assert not request.received
        signal.raise_signal(number)
        assert request.received
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
    assert signal.getsignal(number) is before


def test_other_threads_have_no_handlers():
    before, seen = signal.getsignal(signal.SIGINT), []

    def work():
        with StopRequest() as request:
            seen.extend([signal.getsignal(signal.SIGINT), request.received])

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(10)
    assert seen == [before, False]
