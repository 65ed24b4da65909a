"""Matrix of the results of a suite: a line for each model, a column for each task.

cell      state           parity %         S3 %
chance                       50.1          16.5
lstm      nonlinear  100.0 ± 0.0 (3)  99.1 ± 0.4 (3)
min_gru   linear      50.1 ± 0.1 (3)  17.0 ± 0.2 (3)
ceiling                     100.0         100.0
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any

from seqtasks.core import plugins
from seqtasks.core.config import split_override
from seqtasks.experiments import matrix_formats
from seqtasks.experiments.matrix_lines import Entry, Line
from seqtasks.experiments.results import Row
from seqtasks.experiments.suites import Suite

if TYPE_CHECKING:
    import pandas as pd

CHANCE = "chance"  # name of the baseline that guesses
LINEAR, NONLINEAR = "linear", "nonlinear"  # recurrences: a parallel scan needs a linear one


@dataclass(frozen=True)
class Matrix:
    """Results of a suite. A notebook shows it as HTML.

    Attributes:
        suite: The suite.
        metrics: Name of the score of each column; empty where no run is finished.
        lines: Baselines, then models by family, each from best to worst.

    Example:
        >>> import seqtasks
        >>> matrix = seqtasks.compare("probes", "encoder.cell=lstm,gru")  # doctest: +SKIP
        >>> matrix.to_frame().pivot(index="label", columns="column", values="mean")  # doctest: +SKIP
    """

    suite: Suite
    metrics: tuple[str, ...]
    lines: tuple[Line, ...]

    @property
    def chance(self) -> tuple[float | None, ...]:
        """Score of guessing in each column; None where that baseline was not fitted."""
        guess = next((line for line in self.lines if line.kind == "baseline" and line.label == CHANCE), None)
        return tuple(entry.mean for entry in guess.entries) if guess else (None,) * len(self.suite.columns)

    def share(self, entry: Entry, column: int) -> float | None:
        """Where a mean lies between chance, 0, and the ceiling, 1; None where one of them is not known."""
        low, high, mean = self.chance[column] or 0.0, self.suite.columns[column].ceiling, entry.mean
        if mean is None or high is None or high == low:
            return None
        return min(1.0, max(0.0, (mean - low) / (high - low)))

    def to_frame(self) -> pd.DataFrame:
        """One row for each model and task; numbers are not rounded."""
        import pandas

        return pandas.DataFrame(matrix_formats.records(self))

    def __repr__(self) -> str:
        return matrix_formats.render(self)

    def _repr_html_(self) -> str:
        return matrix_formats.render(self, "html")


def build(suite: Suite, columns: Sequence[Sequence[Row]], overrides: Sequence[str] = ()) -> Matrix:
    """Builds the matrix of a suite.

    Args:
        suite: The suite.
        columns: Rows of baselines and models for each column of the suite.
        overrides: Settings of all tasks as `key=a,b`; those with several values tell models apart.
    """
    keys = [
        key for key, value in map(split_override, overrides) if "," in value and key not in ("seed", "encoder.cell")
    ]
    grouped: dict[tuple[str, str, str], list[dict[int, Row]]] = {}
    for number, rows in enumerate(columns):
        for row in rows:
            label = " ".join([row.cell, *(f"{key}={_setting(row, key)}" for key in keys if row.kind == "model")])
            key = (row.kind, label, family_of(row.cell) if row.kind == "model" else "")
            entries = grouped.setdefault(key, [{} for _ in columns])
            entries[number][row.seed] = row
    lines = [
        Line(*key, tuple(Entry(tuple(seeds[seed] for seed in sorted(seeds))) for seeds in entries))
        for key, entries in grouped.items()
    ]
    matrix = Matrix(suite, tuple(next((row.metric for row in rows), "") for rows in columns), tuple(lines))

    def position(line: Line) -> tuple[bool, bool, bool, float]:
        shares = [matrix.share(entry, i) for i, entry in enumerate(line.entries)]
        known = [share for share in shares if share is not None]
        order = -fmean(known) if known else 0.0
        return line.kind == "model", line.label != CHANCE, line.family == LINEAR, order

    return Matrix(suite, matrix.metrics, tuple(sorted(lines, key=position)))


def family_of(cell: str) -> str:
    """Whether the recurrence of a cell is linear in its state; other cells than the registered ones count as nonlinear.

    Example:
        >>> family_of("lru"), family_of("gru")
        ('linear', 'nonlinear')
    """
    about: dict[str, Any] = next((entry.about for entry in plugins.cells.entries() if entry.name == cell), {})
    return LINEAR if "parallel" in str(about.get("engines")) else NONLINEAR


def _setting(row: Row, key: str) -> Any:
    values: Any = row.config
    for part in key.split("."):
        values = values.get(part) if isinstance(values, dict) else None
    return values
