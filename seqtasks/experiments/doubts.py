"""Doubts about scores of a table: few updates, few test examples, worse than a baseline."""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterator, Sequence

from seqtasks.experiments import uncertainty
from seqtasks.experiments.results import Row

# The beginning of a note in `Row.notes`, see `training.verdict`.
FEW_UPDATES = re.compile(r"trained for ([\d,]+) weight updates, fewer than the ([\d,]+) of train\.min_updates")
UNPREDICTED = "labels of the test split that the model never predicts"
FEW_UPDATES_MARK, UNPREDICTED_MARK = "†", "‡"


def has_few_updates(row: Row) -> bool:
    """Whether a row has a note on too few weight updates."""
    return any(map(FEW_UPDATES.match, row.notes))


def mark(rows: Sequence[Row]) -> str:
    """The marks behind a mean score; empty if no row has a note.

    Args:
        rows: Rows of the mean.
    """
    few = any(map(has_few_updates, rows))
    unpredicted = any(note.startswith(UNPREDICTED) for row in rows for note in row.notes)
    return FEW_UPDATES_MARK * few + UNPREDICTED_MARK * unpredicted


def lines(groups: Sequence[Sequence[Row]]) -> list[str]:
    """Lines below a table: meanings of marks, uncertain scores, models worse than a baseline.

    Args:
        groups: Rows of each line of the table, which differ in their seed only.
    """
    notes = [note for group in groups for row in group for note in row.notes]
    return [*_few_updates(notes), *_unpredicted(notes), *_uncertain(groups), *_worse_than_baseline(groups)]


def _few_updates(notes: Sequence[str]) -> Iterator[str]:
    notes = [note for note in notes if FEW_UPDATES.match(note)]
    if not notes:
        return
    updates: dict[int, set[int]] = {}
    for note in notes:
        match = FEW_UPDATES.match(note)
        assert match is not None
        done, minimum = (int(number.replace(",", "")) for number in match.groups())
        updates.setdefault(minimum, set()).add(done)
    counts = "; ".join(f"{_range(done)} of {minimum:,}" for minimum, done in sorted(updates.items()))
    advice = "leave train.epochs unset" if all("unset" in note for note in notes) else "set a larger train.epochs"
    yield f"{FEW_UPDATES_MARK} trained for fewer weight updates than train.min_updates ({counts}): {advice}"


def _range(numbers: set[int]) -> str:
    low, high = min(numbers), max(numbers)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _unpredicted(notes: Sequence[str]) -> Iterator[str]:
    if any(note.startswith(UNPREDICTED) for note in notes):
        yield f"{UNPREDICTED_MARK} never predicts some labels of the test split"


def _uncertain(groups: Sequence[Sequence[Row]]) -> Iterator[str]:
    widest = max((row for group in groups for row in group), key=uncertainty.deviation)
    points = uncertainty.deviation(widest)
    if points >= uncertainty.LARGE:
        yield (
            f"scores of {widest.test_examples:,} test examples are uncertain by up to ±{100 * points:.0f} points (95 %)"
        )


def _worse_than_baseline(groups: Sequence[Sequence[Row]]) -> Iterator[str]:
    baselines = [group for group in groups if group[0].kind == "baseline"]
    models = [group for group in groups if group[0].kind == "model"]
    if not baselines or not models:
        return
    sign = 1 if models[0][0].higher_is_better else -1
    best = max(baselines, key=lambda group: sign * statistics.fmean(row.value for row in group))
    worse = [model for model in models if sign * _mean(model, best) < sign * _mean(best, model)]
    if worse:
        count = f"{len(worse)} of {len(models)} models" if len(models) > 1 else "the model"
        verb = "score" if len(worse) > 1 else "scores"
        yield f"{count} {verb} worse than the best baseline, {best[0].cell}"


def _mean(group: Sequence[Row], other: Sequence[Row]) -> float:
    """Mean score; by dynamic evaluation if both have it, as some baselines learn from the test."""
    dynamic = f"dynamic_{group[0].metric}"
    if all(dynamic in row.scores for row in (*group, *other)):
        return statistics.fmean(row.scores[dynamic] for row in group)
    return statistics.fmean(row.value for row in group)
