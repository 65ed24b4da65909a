"""What the tables of docs/ share: modules of benchmarks/, the CSV files that they write, means with their spread."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

DOCS = Path(__file__).resolve().parent
BENCHMARKS = str(DOCS.parent / "benchmarks")


def module(name: str) -> Any:
    """A module of benchmarks/."""
    if BENCHMARKS not in sys.path:
        sys.path.append(BENCHMARKS)
    return importlib.import_module(name)


def rows(name: str) -> list[dict[str, str]]:
    """The rows of a CSV file of docs/; none if there is no file."""
    return module("csv_rows").rows(DOCS / name)


def mean_and_spread(values: list[float], digits: int = 1) -> str:
    """Mean of some values, and their standard deviation if there are several."""
    spread = f" ± {stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{fmean(values):.{digits}f}{spread}"
