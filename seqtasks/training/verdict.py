"""Warnings about a result: too few updates, missing labels, a score below its baseline."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from seqtasks.experiments.results import Row

if TYPE_CHECKING:
    from seqtasks.task_types.base import Task

HARDLY = 0.05  # a smaller share of the baseline's error taken away is no learning


def of_training(task: Task, updates: int, min_updates: int) -> list[str]:
    """What makes a score doubtful before it is compared with anything.

    Args:
        task: after `score`.
        updates: of the weights that were made.
        min_updates: that the task is set for.
    """
    notes = []
    if updates < min_updates / 2:
        notes.append(
            f"only {updates:,} updates of the weights, and {task.name} is set for {min_updates:,}: leave train.epochs "
            "unset, or set it higher"
        )
    if missing := task.unpredicted:
        shown = ", ".join(map(repr, missing[:3])) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
        notes.append(f"never predicted on the test split, though it has them: {shown}")
    return notes


def of_baselines(row: Row, baselines: Sequence[Row]) -> list[str]:
    """The baselines beside a score, and what to try where it does not beat them.

    Args:
        row: of the model.
        baselines: of the same data.
    """
    if not baselines:
        return []
    up = row.higher_is_better
    ranked = sorted(baselines, key=lambda one: one.value, reverse=up)
    best = ranked[0]
    lines = ["baselines: " + ", ".join(f"{one.cell} {one.value:.4f}" for one in ranked)]
    dynamic = f"dynamic_{row.metric}"
    if dynamic in row.scores and dynamic in best.scores:
        lines.append(f"{best.cell} learns from the test text as it reads it, so {dynamic} is compared with it")
        row, best = (dataclasses.replace(one, metric=dynamic, value=one.scores[dynamic]) for one in (row, best))
    longer = f"more epochs (train.epochs={2 * row.epochs})"
    other = "another cell (encoder.cell=gru)" if row.cell == "lstm" else "another cell (encoder.cell=lstm)"
    if row.value < best.value if up else row.value > best.value:
        lines.append(f"{row.metric} {row.value:.4f} is below {best.cell}, {best.value:.4f}: try {longer} or {other}")
        if not up:
            lines[-1] = lines[-1].replace("is below", "is worse than")
    elif _error(row) > (1 - HARDLY) * _error(best):
        lines.append(f"{row.metric} {row.value:.4f} is hardly better than {best.cell}: try {longer} or {other}")
    return lines


def _error(row: Row) -> float:
    """What is missing to a perfect value: 1 - value of a share, the value of an error."""
    if not row.higher_is_better:
        return row.value
    return (1.0 if row.value <= 1 else 100.0) - row.value
