"""Batcher: equal keys together, order, limits, errors of one item, cancelled jobs."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest

from seqtasks.core.errors import DataError
from seqtasks.deploy.serving.batching import Batcher, TooBusyError


@pytest.fixture
def batcher() -> Iterator[Batcher]:
    made = Batcher(most=4, collect_seconds=0.05, waiting=20)
    yield made
    made.close()


def double(items: list[int]) -> list[tuple[int, int]]:
    return [(2 * item, len(items)) for item in items]


def together(batcher: Batcher, *jobs: tuple) -> list:
    async def ask() -> list:
        return await asyncio.gather(*(batcher.submit(*job) for job in jobs), return_exceptions=True)

    return asyncio.run(ask())


def test_equal_keys_are_computed_together_and_no_others(batcher: Batcher) -> None:
    answers = together(batcher, *((double, key, i) for i, key in enumerate("aababaaa")))
    assert [value for value, _ in answers] == [0, 2, 4, 6, 8, 10, 12, 14]
    assert sorted(size for _, size in answers) == [2, 2, 2, 2, 4, 4, 4, 4]


def test_one_thread_computes_everything(batcher: Batcher) -> None:
    names = together(batcher, *((lambda items: [threading.current_thread().name] * len(items), i, i) for i in range(5)))
    assert set(names) == {"seqtasks-model"}


def test_an_error_is_that_of_its_item_alone(batcher: Batcher) -> None:
    def compute(items: list[int]) -> list[int]:
        if 2 in items:
            raise DataError("two is not allowed")
        return items

    answers = together(batcher, *((compute, "key", i) for i in range(4)))
    assert answers[:2] + answers[3:] == [0, 1, 3] and str(answers[2]) == "two is not allowed"


def test_too_many_jobs_are_refused_and_a_cancelled_one_is_not_computed(batcher: Batcher) -> None:
    computed, free = [], threading.Event()

    def slow(items: list[int]) -> list[int]:
        free.wait(5)
        computed.extend(items)
        return items

    async def ask() -> None:
        first = asyncio.ensure_future(batcher.submit(slow, "first", -1))
        await asyncio.sleep(0.1)  # the thread has it
        jobs = [asyncio.ensure_future(batcher.submit(slow, i, i)) for i in range(20)]
        await asyncio.sleep(0.01)
        with pytest.raises(TooBusyError, match="20 requests are waiting; allowed: 20"):
            await batcher.submit(slow, "more", 99)
        jobs[3].cancel()
        free.set()
        await asyncio.gather(first, *jobs, return_exceptions=True)

    asyncio.run(ask())
    assert computed == [-1, *(i for i in range(20) if i != 3)]


def test_a_lone_job_waits_for_others_and_a_full_batch_does_not() -> None:
    batcher = Batcher(most=2, collect_seconds=0.3, waiting=20)
    for count, least, most in ((1, 0.25, 5), (2, 0, 0.25)):
        begun = time.monotonic()
        together(batcher, *((double, "key", i) for i in range(count)))
        assert least <= time.monotonic() - begun < most
    batcher.close()
    with pytest.raises(TooBusyError):
        asyncio.run(batcher.submit(double, "key", 1))
