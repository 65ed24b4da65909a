"""A real race of small models, and what happens to those that cannot run."""

import dataclasses
import io
import json

import numpy as np
import pytest

from seqtasks.bench import race as racing
from seqtasks.bench import worker
from seqtasks.bench.contenders import NAMES, is_installed
from seqtasks.bench.race import BenchError, Race, race
from seqtasks.bench.shapes import Shape

SMALL = Shape(units=8, batch=4, time=6, features=3, layers=2, bidirectional=True, lengths=(6, 4), vocabulary=9)


@pytest.mark.slow
def test_a_race_and_who_cannot_run_is_named(monkeypatch):
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")
    lines = []
    actual = race(SMALL, ["parallel", "loop", "stock", *filter(is_installed, ["native", "torch"])], 3, 1, lines.append)
    assert "engine=parallel cannot run this" in actual.failed.pop("parallel") and not actual.failed
    assert set(actual.seconds) >= {"loop", "stock"} and "parallel" not in actual.seconds
    for seconds in actual.seconds.values():
        assert seconds.shape == (3,) and (seconds > 0).all()
    assert actual.peak > 1e8 and actual.speed("loop") < actual.peak
    assert all(2**26 < memory < 2**34 for memory in actual.memory.values())
    assert lines[-1] == "round 3 of 3" and "loop: warming up" in lines
    low, middle, high = actual.ratio("loop", "stock")
    assert 0 < low <= middle <= high and actual.ratio("stock", "stock") == (1, 1, 1)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["loop", "stock"])
def test_a_worker_answers_each_line(name, monkeypatch):
    answers = io.StringIO()
    monkeypatch.setattr("sys.stdin", io.StringIO("0\n0.01\n"))
    monkeypatch.setattr("sys.stdout", answers)
    worker.main(name, json.dumps(dataclasses.asdict(SMALL)))
    ready, *timed = map(json.loads, answers.getvalue().splitlines())
    assert ready == {"ready": name} and len(timed) == 2
    for answer in timed:
        assert 0 < answer["seconds"] <= answer["turn"] and 2**26 < answer["memory"] < 2**34
    assert timed[1]["turn"] >= 0.01


def test_a_worker_is_a_process_of_its_own():
    with racing._worker("peak", SMALL, 1) as process:
        assert racing._ask(process, 0)["seconds"] > 0 and process.poll() is None
    assert process.wait() != 0  # killed at the end


@pytest.mark.slow
def test_no_contender_can_run(monkeypatch):
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")
    with pytest.raises(BenchError, match=r"parallel: .*cannot run this"):
        race(SMALL, ["parallel"], 1)


def test_no_round_begins_after_the_budget(monkeypatch):
    asked = []

    def ask(process, turn):
        asked.append(process)
        assert turn == 0.2 or (turn == 0.4 and process != "peak")
        return {"seconds": 0.5, "turn": 1.0, "memory": 1}

    class Worker:
        def __init__(self, name, *_):
            self.name = name

        def __enter__(self):
            return self.name

        def __exit__(self, *_):
            return None

    monkeypatch.setattr(racing, "_worker", Worker)
    monkeypatch.setattr(racing, "_ask", ask)
    actual = race(SMALL, ["loop", "stock"], 100, budget=9, turn=0.4)
    assert len(actual.seconds["loop"]) == 5 and actual.peak == 2 * racing.PEAK
    # The order turns round by round, so that nobody always runs after the same one.
    assert [name for name in asked if name != "peak"][:4] == ["stock", "loop", "loop", "stock"]


def test_ratios_are_taken_round_by_round():
    slow = np.array([1.0, 2.0, 4.0])  # a machine that slows down
    actual = Race(SMALL, {"native": slow, "torch": 2 * slow}, {}, 1e9, {})
    assert actual.ratio("native", "torch") == (0.5, 0.5, 0.5)
    assert set(actual.seconds) <= set(NAMES)
