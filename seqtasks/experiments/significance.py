"""Which models of a table cannot be told from the best one.

Each other model is compared with the best by a paired bootstrap over test examples and seeds (`bootstrap`), from the
outputs that the runs stored (`example_outputs`). The p-values are kept in `significance.json` beside the runs, so that
a table computes each of them once; NumPy and SciPy are imported only then. They are corrected for the number of
comparisons by Holm's method.

Reference: Holm 1979, https://www.jstor.org/stable/4615733
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqtasks.core.errors import RunError
from seqtasks.core.files import write_text
from seqtasks.experiments.results import Row

if TYPE_CHECKING:
    from seqtasks.experiments.example_outputs import ExampleOutputs

FILE = "significance.json"
FORMAT = 1  # raised when p-values are computed in another way
LEVEL = 0.05
MARK = "≈"

log = logging.getLogger(__name__)


def p_values(models: Sequence[Sequence[Row]], runs_dir: Path) -> list[float | None]:
    """Adjusted p-values of the differences between models and the best one.

    Args:
        models: Rows of each model, one for each seed; the best model first.
        runs_dir: Folder of the runs.

    Returns:
        A p-value for each model; None for the best one, and for models whose runs have no outputs of the test split
        that can be compared.
    """
    p: list[float | None] = [None] * len(models)
    if len(models) < 2:
        return p
    stored = _stored(runs_dir)
    keys = [_key(models[0], rows) for rows in models]
    missing = [i for i in range(1, len(models)) if keys[i] not in stored]
    if missing:
        computed = _computed(models, missing, runs_dir)
        if computed:
            stored |= {keys[i]: value for i, value in computed.items()}
            _store(runs_dir, stored)
    raw = {i: stored[keys[i]] for i in range(1, len(models)) if keys[i] in stored}
    for i, value in zip(raw, holm(list(raw.values())), strict=True):
        p[i] = value
    return p


def holm(p: Sequence[float]) -> list[float]:
    """Adjusts p-values for their number by Holm's step-down method.

    Args:
        p: Raw p-values.

    Returns:
        Adjusted p-values, in the same order, at most 1.

    Example:
        >>> [round(value, 3) for value in holm([0.01, 0.04, 0.03])]
        [0.03, 0.06, 0.06]
    """
    adjusted, largest = [0.0] * len(p), 0.0
    for rank, i in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
        largest = max(largest, min(1.0, (len(p) - rank) * p[i]))
        adjusted[i] = largest
    return adjusted


def _computed(models: Sequence[Sequence[Row]], which: Sequence[int], runs_dir: Path) -> dict[int, float]:
    """Raw p-values of those models whose runs have outputs like those of the best one."""
    if not all(_has_outputs(rows, runs_dir) for rows in models[:1]):
        return {}
    which = [i for i in which if _has_outputs(models[i], runs_dir)]
    if not which:
        return {}
    from seqtasks.experiments import bootstrap

    best = _read(models[0], runs_dir)
    if not best or not bootstrap.comparable([best]):
        return {}
    others = {i: _read(models[i], runs_dir) for i in which}
    others = {i: kept for i, kept in others.items() if kept and bootstrap.comparable([best, kept])}
    return dict(zip(others, bootstrap.p_values(best, list(others.values())), strict=True)) if others else {}


def _has_outputs(rows: Sequence[Row], runs_dir: Path) -> bool:
    return all((runs_dir / row.run / "outputs.npz").is_file() for row in rows)


def _read(rows: Sequence[Row], runs_dir: Path) -> list[ExampleOutputs]:
    """Outputs of all runs; none if a file is damaged or belongs to another result."""
    from seqtasks.experiments import example_outputs

    kept = []
    for row in rows:
        try:
            outputs = example_outputs.read(runs_dir / row.run)
        except RunError as error:
            log.warning("%s; its model is not compared with the best one", str(error).partition(";")[0])
            return []
        if outputs is None or not outputs.determines(row.value):
            return []
        kept.append(outputs)
    return kept


def _key(best: Sequence[Row], rows: Sequence[Row]) -> str:
    """Names the two sets of runs; a run that was trained again has another time of its end."""
    text = json.dumps([FORMAT, *(sorted([row.run, row.finished, row.metric] for row in part) for part in (best, rows))])
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def _stored(runs_dir: Path) -> dict[str, float]:
    """The p-values that were computed before; none if the file is missing or damaged."""
    with contextlib.suppress(OSError, ValueError):
        values: Any = json.loads((runs_dir / FILE).read_text(encoding="utf-8"))
        if isinstance(values, dict):
            return {key: float(p) for key, p in values.items() if isinstance(p, int | float)}
    return {}


def _store(runs_dir: Path, values: dict[str, float]) -> None:
    with contextlib.suppress(OSError):  # a folder that cannot be written: they are computed again the next time
        write_text(runs_dir / FILE, json.dumps(values, indent=0, sort_keys=True) + "\n")
