"""Sessions: time to live, number, use by one request."""

from __future__ import annotations

import pytest

from seqtasks.deploy.serving.sessions import BusySessionError, NoSessionError, Sessions, SessionsFullError


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_session_lives_for_its_time_after_the_last_request() -> None:
    clock = Clock()
    sessions = Sessions(2, 10, clock)
    session = sessions.create("model")
    clock.now += 9
    assert sessions.take(session.id) is session
    sessions.release(session)
    clock.now += 9
    assert sessions.get(session.id) is session and sessions.left(session) == 1
    clock.now += 2
    assert not sessions.is_open(session) or len(sessions) == 0
    with pytest.raises(NoSessionError, match="no session of this name"):
        sessions.get(session.id)


def test_there_are_no_more_than_allowed_but_expired_ones_make_room() -> None:
    clock = Clock()
    sessions = Sessions(2, 10, clock)
    first, second = sessions.create("model"), sessions.create("model")
    assert first.id != second.id and len(first.id) >= 20
    with pytest.raises(SessionsFullError, match="2 sessions are open; allowed: 2"):
        sessions.create("model")
    sessions.remove(first)
    sessions.create("model")
    clock.now += 11
    assert len(sessions) == 0 and sessions.create("model")


def test_one_request_at_a_time() -> None:
    sessions = Sessions(2, 10)
    session = sessions.create("model")
    sessions.take(session.id)
    with pytest.raises(BusySessionError, match="in use by another request"):
        sessions.take(session.id)
    sessions.release(session)
    assert sessions.take(session.id) is session
