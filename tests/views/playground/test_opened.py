"""Turns of the requests: one at a time, predictions before pictures."""

from __future__ import annotations

import threading
import time

from seqtasks.views.playground.opened import Turns


def test_predictions_come_before_pictures_and_never_two_at_once() -> None:
    turns, order, inside = Turns(), [], []

    def work(name: str, drawing: bool) -> None:
        with turns.turn(drawing):
            inside.append(name)
            assert len(inside) == 1
            time.sleep(0.01)
            order.append(name)
            inside.remove(name)

    threads = [threading.Thread(target=work, args=(f"picture {i}", True)) for i in range(3)]
    threads += [threading.Thread(target=work, args=(f"prediction {i}", False)) for i in range(3)]
    with turns.turn():
        for thread in threads:
            thread.start()
        time.sleep(0.1)  # all wait
    for thread in threads:
        thread.join(10)
    assert sorted(order[:3]) == ["prediction 0", "prediction 1", "prediction 2"] and len(order) == 6


def test_an_error_ends_the_turn() -> None:
    turns = Turns()
    for _ in range(2):
        try:
            with turns.turn():
                raise ValueError
        except ValueError:
            pass
    with turns.turn(drawing=True):
        pass
