"""Dynamic batching: one thread owns the model and computes requests of one kind together."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

from seqtasks.core.errors import SeqtasksError

Compute = Callable[[Sequence[Any]], Sequence[Any]]
log = logging.getLogger(__name__)


class TooBusyError(SeqtasksError):
    """The server has as much work waiting as it takes; the request can be sent again later."""


@dataclass(eq=False)
class Job:
    """A part of a request that waits for the model.

    Attributes:
        compute: Function that computes the results of several items.
        item: Item of this job.
        future: Receives the result.
        loop: Event loop of the future.
        arrived: Time of arrival.
    """

    compute: Compute
    item: Any
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop
    arrived: float = field(default_factory=time.monotonic)


class Batcher:
    """Thread that computes jobs, those of equal keys together.

    The oldest job is computed first, with others of its key. While a batch is computed the next ones gather, so only
    the first job after an idle time waits for others.

    Args:
        most: Maximum number of jobs of a batch.
        collect_seconds: Time that a job waits for others of its key, if the thread is idle.
        waiting: Maximum number of waiting jobs.
        observe: Called with the number of jobs of each batch.

    Example:
        >>> import asyncio
        >>> batcher = Batcher(most=8, collect_seconds=0.01, waiting=100)
        >>> def compute(items):
        ...     return [(item, len(items)) for item in items]
        >>> async def two():
        ...     return await asyncio.gather(*(batcher.submit(compute, "key", item) for item in "ab"))
        >>> asyncio.run(two())
        [('a', 2), ('b', 2)]
        >>> batcher.close()
    """

    def __init__(
        self, most: int, collect_seconds: float, waiting: int, observe: Callable[[int], object] = lambda size: None
    ):
        self.most, self.collect_seconds, self.waiting, self._observe = most, collect_seconds, waiting, observe
        self._queues: dict[Hashable, deque[Job]] = {}
        self._count, self._closed, self._condition = 0, False, threading.Condition()
        self._thread = threading.Thread(target=self._work, name="seqtasks-model", daemon=True)
        self._thread.start()

    def __len__(self) -> int:
        """Number of waiting jobs."""
        return self._count

    async def submit(self, compute: Compute, key: Hashable, item: Any) -> Any:
        """Computes an item, perhaps together with others.

        Args:
            compute: Function of several items that returns their results in order.
            key: Items of equal functions and keys may be computed together.
            item: The item.

        Raises:
            TooBusyError: Too many jobs are waiting.
            Exception: That of `compute` for this item alone.
        """
        loop = asyncio.get_running_loop()
        job = Job(compute, item, loop.create_future(), loop)
        with self._condition:
            if self._count >= self.waiting or self._closed:
                raise TooBusyError(
                    f"{self._count} requests are waiting; allowed: {self.waiting}; send the request again in a second"
                )
            self._queues.setdefault((compute, key), deque()).append(job)
            self._count += 1
            self._condition.notify()
        return await job.future

    def close(self, seconds: float = 10.0) -> None:
        """Ends the thread after the jobs that are waiting.

        Args:
            seconds: Maximum time to wait for it.
        """
        with self._condition:
            self._closed = True
            self._condition.notify()
        self._thread.join(seconds)

    def _work(self) -> None:
        while batch := self._next():
            live = [job for job in batch if not job.future.cancelled()]
            if live:
                self._observe(len(live))
                self._finish(live, self._results(live))

    def _next(self) -> list[Job]:
        """Waits for jobs and takes a batch; empty: the batcher is closed."""
        with self._condition:
            while not self._queues:
                if self._closed:
                    return []
                self._condition.wait()
            key = min(self._queues, key=lambda key: self._queues[key][0].arrived)
            queue = self._queues[key]
            until = queue[0].arrived + self.collect_seconds
            while len(queue) < self.most and not self._closed and (left := until - time.monotonic()) > 0:
                self._condition.wait(left)
            batch = [queue.popleft() for _ in range(min(self.most, len(queue)))]
            if not queue:
                del self._queues[key]
            self._count -= len(batch)
            return batch

    def _results(self, batch: Sequence[Job]) -> list[Any]:
        """Results of the jobs; an exception for a job that fails."""
        try:
            results = list(batch[0].compute([job.item for job in batch]))
            assert len(results) == len(batch), f"{len(results)} results for {len(batch)} items"
            return results
        except Exception as error:
            if len(batch) == 1:
                if not isinstance(error, SeqtasksError):
                    log.exception("a request failed")
                return [error]
        return [result for job in batch for result in self._results([job])]  # only the faulty ones fail

    @staticmethod
    def _finish(batch: Sequence[Job], results: Sequence[Any]) -> None:
        """Hands the results over to the event loops, all of a loop at once."""
        by_loop: dict[asyncio.AbstractEventLoop, list[tuple[Job, Any]]] = {}
        for job, result in zip(batch, results, strict=True):
            by_loop.setdefault(job.loop, []).append((job, result))
        for loop, pairs in by_loop.items():
            if not loop.is_closed():
                loop.call_soon_threadsafe(_set_results, pairs)


def _set_results(pairs: Sequence[tuple[Job, Any]]) -> None:
    for job, result in pairs:
        if job.future.done():
            continue
        if isinstance(result, Exception):
            job.future.set_exception(result)
        else:
            job.future.set_result(result)
