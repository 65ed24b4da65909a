"""Reads and extends CSV files with one row for each measurement; for other benchmarks and the tables of docs/."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any


def rows(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file; none if there is no file."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def append(path: Path, columns: tuple[str, ...], row: dict[str, Any]) -> None:
    """Adds a row to a CSV file."""
    new = not path.exists()
    with path.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerow(row)
