"""The pause of the garbage collector ends, also after an error, and keeps one that was off."""

import gc

import pytest

from seqtasks.core.collector import paused_collector


def test_the_collector_is_as_before_after_an_error():
    with pytest.raises(ValueError), paused_collector():
        assert not gc.isenabled()
        raise ValueError
    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off():
    gc.disable()
    try:
        with paused_collector(), paused_collector():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
