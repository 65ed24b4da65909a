"""Lines of the matrix of a suite: the results of one model in all tasks."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean, stdev

from seqtasks.experiments.results import Row


@dataclass(frozen=True)
class Entry:
    """Results of one model in one task.

    Attributes:
        rows: One row for each seed; none: not trained, or failed.
    """

    rows: tuple[Row, ...] = ()

    @property
    def mean(self) -> float | None:
        """Mean of the scores; None without rows."""
        return fmean(row.value for row in self.rows) if self.rows else None

    @property
    def sd(self) -> float | None:
        """Sample standard deviation of the scores; None for fewer than two rows."""
        return stdev(row.value for row in self.rows) if len(self.rows) > 1 else None


@dataclass(frozen=True)
class Line:
    """Results of one model, or of one kind of baseline, in all tasks.

    Attributes:
        kind: "model" or "baseline".
        label: Name of the cell, with the settings that vary besides the seed; or name of the baseline.
        family: Whether the recurrence is linear or nonlinear in the state; empty for baselines.
        entries: One for each column.
    """

    kind: str
    label: str
    family: str
    entries: tuple[Entry, ...]
