"""Notes on a result: few updates, labels never predicted, a score below a baseline."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from seqtasks.experiments.results import Row

if TYPE_CHECKING:
    from seqtasks.task_types.base import Task

HARDLY = 0.05  # relative reduction of the baseline's error; the note is printed below it


def of_training(task: Task, updates: int, min_updates: int) -> list[str]:
    """Notes on a score that is doubtful by itself: few updates, labels never predicted.

    Args:
        task: The task, after `score` was called.
        updates: Number of weight updates that the settings ask for.
        min_updates: `train.min_updates`, the number of updates that the task needs.
    """
    notes = []
    if updates < min_updates / 2:
        notes.append(
            f"trained for {updates:,} weight updates, fewer than the {min_updates:,} of train.min_updates: raise "
            "train.epochs or leave it unset"
        )
    if missing := task.unpredicted:
        shown = ", ".join(map(repr, missing[:3])) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
        notes.append(f"labels of the test split that the model never predicts: {shown}")
    return notes


def of_baselines(row: Row, baselines: Sequence[Row]) -> list[str]:
    """Lines that compare a score with its baselines, and what to try if it does not beat them.

    Args:
        row: Result row of the model.
        baselines: Rows of baselines of the same data; none: no lines.
    """
    if not baselines:
        return []
    up = row.higher_is_better
    ranked = sorted(baselines, key=lambda one: one.value, reverse=up)
    best = ranked[0]
    lines = ["baselines: " + ", ".join(f"{one.cell} {one.value:.4f}" for one in ranked)]
    dynamic = f"dynamic_{row.metric}"
    if dynamic in row.scores and dynamic in best.scores:
        lines.append(
            f"{best.cell} also learns from the test text while reading it, so it is compared with {dynamic} of the "
            "model, which does the same"
        )
        row, best = (dataclasses.replace(one, metric=dynamic, value=one.scores[dynamic]) for one in (row, best))
    longer = f"more epochs (train.epochs={2 * row.epochs})"
    other = "another cell (encoder.cell=gru)" if row.cell == "lstm" else "another cell (encoder.cell=lstm)"
    if row.value < best.value if up else row.value > best.value:
        lines.append(
            f"{row.metric} {row.value:.4f} is worse than that of the baseline {best.cell}, {best.value:.4f}: try "
            f"{longer} or {other}"
        )
    elif _error(row) > (1 - HARDLY) * _error(best):
        lines.append(
            f"{row.metric} {row.value:.4f} is hardly better than that of the baseline {best.cell}: try {longer} or "
            f"{other}"
        )
    return lines


def _error(row: Row) -> float:
    """Distance to a perfect score: 1 - value (100 - value of percentages), or the value."""
    if not row.higher_is_better:
        return row.value
    return (1.0 if row.value <= 1 else 100.0) - row.value
