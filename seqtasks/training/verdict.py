"""Notes on a result: few updates or test examples, unpredicted labels, weak scores."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from seqtasks.core.config import TrainConfig
from seqtasks.experiments import doubts, uncertainty
from seqtasks.experiments.results import Row

if TYPE_CHECKING:
    from seqtasks.task_types.base import Task

HARDLY = 0.05  # relative reduction of the baseline's error; the note is printed below it


def of_training(task: Task, train: TrainConfig, batches_per_epoch: int, computed_epochs: int) -> list[str]:
    """Notes on a score that is doubtful by itself: few updates, labels never predicted.

    Training that stopped early was long enough: the planned updates count.

    Args:
        task: The task, after `score` was called.
        train: Settings `train.*`, with `epochs` set.
        batches_per_epoch: Number of weight updates of an epoch.
        computed_epochs: Number of epochs that is computed if `train.epochs` is unset.
    """
    notes = []
    updates, enough = train.known_epochs * batches_per_epoch, train.min_updates / 2
    if updates < enough:
        if computed_epochs * batches_per_epoch >= enough:
            advice = f"leave train.epochs unset ({computed_epochs} epochs)"
        else:  # the computed number has a maximum
            needed = math.ceil(train.min_updates / batches_per_epoch)
            advice = f"set train.epochs={needed}, or a smaller train.batch_size"
        notes.append(
            f"trained for {updates:,} weight updates, fewer than the {train.min_updates:,} of train.min_updates: "
            f"{advice}"
        )
    if missing := task.unpredicted:
        shown = ", ".join(map(repr, missing[:3])) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
        notes.append(f"{doubts.UNPREDICTED}: {shown}")
    return notes


def of_result(row: Row, baselines: Sequence[Row]) -> list[str]:
    """Lines below a result: its notes, its uncertainty, the comparison with its baselines.

    Args:
        row: Result row of the model.
        baselines: Rows of baselines of the same data.
    """
    return [*row.notes, *of_test_size(row), *of_baselines(row, baselines)]


def of_test_size(row: Row) -> list[str]:
    """A line with the confidence interval of a score of few test examples.

    Args:
        row: Result row.
    """
    bounds = uncertainty.interval(row)
    if bounds is None or uncertainty.deviation(row) < uncertainty.LARGE:
        return []
    low, high = bounds
    return [
        f"{row.metric} {row.value:.4f} of {row.test_examples:,} test examples is uncertain: 95 % confidence interval "
        f"{low:.2f} to {high:.2f}"
    ]


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
    score = f"{row.metric} {row.value:.4f}"
    bounds = uncertainty.interval(row)
    if bounds is not None and bounds[0] <= best.value <= bounds[1]:
        lines.append(
            f"{score} is not distinguishable from that of the baseline {best.cell}, {best.value:.4f}, with "
            f"{row.test_examples:,} test examples"
        )
    elif f"{row.value:.4f}" == f"{best.value:.4f}":
        lines.append(f"{score} is not better than that of the baseline {best.cell}{_advice(row)}")
    elif row.value < best.value if up else row.value > best.value:
        lines.append(f"{score} is worse than that of the baseline {best.cell}, {best.value:.4f}{_advice(row)}")
    elif _error(row) > (1 - HARDLY) * _error(best):
        lines.append(f"{score} is hardly better than that of the baseline {best.cell}{_advice(row)}")
    return lines


def _advice(row: Row) -> str:
    """What to try; empty after too few weight updates, as a note of the row has the advice."""
    if doubts.has_few_updates(row):
        return ""
    other = "another cell (encoder.cell=gru)" if row.cell == "lstm" else "another cell (encoder.cell=lstm)"
    planned = row.config.get("train", {}).get("epochs") or row.epochs
    if row.epochs < planned:  # early stopping: more epochs would not help
        return f": try {other}"
    return f": try more epochs (train.epochs={2 * row.epochs}) or {other}"


def _error(row: Row) -> float:
    """Distance to a perfect score: 1 - value (100 - value of percentages), or the value."""
    if not row.higher_is_better:
        return row.value
    return (1.0 if row.value <= 1 else 100.0) - row.value
