"""Tables of docs/benchmarks/papers.md, from docs/papers.csv."""

from __future__ import annotations

import csv
import importlib.util
import sys
from functools import cache
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

DOCS = Path(__file__).resolve().parent


@cache
def command() -> Any:
    """The module benchmarks/papers.py."""
    path = DOCS.parent / "benchmarks" / "papers.py"
    spec = importlib.util.spec_from_file_location("papers", path)
    assert spec is not None and spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)  # where dataclasses look for it
    spec.loader.exec_module(module)
    return module


def table(name: str) -> str:
    """The results of an experiment as a Markdown table, one row for each model, and the simplest baseline.

    Args:
        name: Name of the experiment in `benchmarks/papers.py`.

    Raises:
        KeyError: There is no experiment of this name.
    """
    experiment = command().EXPERIMENTS[name]
    path = DOCS / "papers.csv"
    rows: list[dict[str, str]] = []
    if path.exists():
        with path.open(encoding="utf-8", newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["experiment"] == name]
    lines = ["| model | score | seeds | parameters | engine |", "| :-- | --: | --: | --: | :-- |"]
    for model in experiment.models:
        of_model = [row for row in rows if row["model"] == model]
        if not of_model:
            lines.append(f"| {model} | not trained yet | | | |")
            continue
        values = [float(row["score"]) for row in of_model]
        first = of_model[0]
        lines.append(
            f"| {model} | {shown(values, experiment.percent)} | {len(values)} | {int(first['parameters']):,} "
            f"| `{first['engine']}` |"
        )
    if baselines := [float(row["baseline"]) for row in rows if row["baseline"]]:
        lines.append(f"| *simplest baseline* | {shown(baselines[:1], experiment.percent)} | | | |")
    return "\n".join([*lines, ""])


def shown(values: list[float], percent: bool) -> str:
    """Mean and standard deviation, in percent or with three digits."""
    factor, digits = (100, 1) if percent else (1, 4)
    spread = f" ± {factor * stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{factor * fmean(values):.{digits}f}{spread}"
