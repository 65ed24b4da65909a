"""Metrics of a server in the text format of Prometheus."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128)


class Metrics:
    """Counters and gauges of one server.

    Args:
        waiting: Returns the number of jobs that wait for the model.
        sessions: Returns the number of open sessions.
    """

    def __init__(self, waiting: Callable[[], float], sessions: Callable[[], float]):
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "seqtasks_requests", "Requests by path and status", ["path", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "seqtasks_request_seconds", "Seconds of a request", ["path"], buckets=SECONDS, registry=self.registry
        )
        self.batches = Histogram(
            "seqtasks_batch_size", "Requests that were computed together", buckets=SIZES, registry=self.registry
        )
        self.tokens = Counter("seqtasks_generated_tokens", "Generated tokens", registry=self.registry)
        for name, help_text, function in (
            ("seqtasks_waiting_jobs", "Jobs that wait for the model", waiting),
            ("seqtasks_open_sessions", "Sessions that are open", sessions),
            ("seqtasks_memory_bytes", "Memory of the server", resident_memory),
        ):
            Gauge(name, help_text, registry=self.registry).set_function(function)

    def text(self) -> bytes:
        """All metrics in Prometheus's text format."""
        return generate_latest(self.registry)


def resident_memory() -> float:
    """Memory of this process in bytes; NaN where Linux does not run."""
    status = Path("/proc/self/status")
    for line in status.read_text().splitlines() if status.is_file() else ():
        if line.startswith("VmRSS"):
            return 1024.0 * int(line.split()[1])
    return float("nan")
