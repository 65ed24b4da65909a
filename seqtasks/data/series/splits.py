"""Splits of series: as given, at random, by group, or by time."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Literal

import numpy as np

from seqtasks.core.arrays import FloatArray, IntArray
from seqtasks.core.errors import DataError, listed
from seqtasks.core.files import shown
from seqtasks.data.series.segments import Segments
from seqtasks.data.series.sets import Kind, SeriesData, SeriesSet
from seqtasks.data.splits import held_out_count, hold_out, sample, spread

How = Literal["random", "time"]
MANY_VALUES = 20  # distinct whole numbers up to which targets are classes


def kind_of(targets: Sequence[str]) -> Kind:
    """Whether targets are classes or numbers: numbers if one has a fraction or more than 20 values are whole.

    Example:
        >>> kind_of(["1", "2", "1"]), kind_of(["up", "down"]), kind_of(["0.25", "1.5"])
        ('classes', 'classes', 'number')
    """
    try:
        numbers = np.array([float(text) for text in targets])
    except ValueError:
        return "classes"
    values = np.unique(numbers)
    with np.errstate(invalid="ignore"):  # the remainder of an infinite value is NaN; it is an error later
        fractions = (values % 1 != 0).any()
    return "number" if len(values) > MANY_VALUES or fractions else "classes"


def natural_order(label: str) -> tuple[int, float, str]:
    """Key that sorts labels: numbers by their value, then texts."""
    try:
        return 0, float(label), label
    except ValueError:
        return 1, 0.0, label


def as_numbers(series: SeriesSet) -> FloatArray:
    """The targets as float64 (rows,).

    Raises:
        DataError: One of them is not a number; the message names file and row.
    """
    numbers = []
    for i, text in enumerate(series.targets or ()):
        try:
            numbers.append(float(text))
        except ValueError:
            numbers.append(np.nan)
        if not np.isfinite(numbers[-1]):
            raise DataError(
                f"{series.place(i)}: the target {shown(text, 40)!r} is not a number; allowed: numbers, as others are; "
                "correct it, or set options.kind=classes"
            )
    return np.array(numbers, np.float64)


def split(
    data: SeriesData, kind: Kind, how: How = "random", limits: dict[str, int | None] | None = None
) -> tuple[dict[str, SeriesSet], list[str]]:
    """Training, validation and test series; what the source does not give is held out.

    A tenth is held out for each, of small sets up to 100 series and at most a fifth (`held_out_count`). Series with
    groups are split so that no group is on two sides; else classes keep their proportion.

    Args:
        data: All series.
        kind: Of the targets.
        how: `time`: the latest series are held out, and earlier ones that reach into their time are left out.
        limits: The most series of each split; training is cut before validation is held out.

    Returns:
        The series of each split, and notes for the user.

    Raises:
        DataError: Too few series or groups, no times, or labels that only a given test or validation split has.

    Example:
        >>> from seqtasks.data.series.segments import Segments
        >>> walks = Segments.stack([np.ones((3, 1))] * 20)
        >>> targets = ["up", "down"] * 10
        >>> data = SeriesData({"train": SeriesSet(walks, ["x"], ids=[*map(str, range(20))], targets=targets)}, "", "")
        >>> parts, _ = split(data, "classes")
        >>> {name: len(part) for name, part in parts.items()}
        {'train': 13, 'validation': 3, 'test': 4}
    """
    parts, notes = dict(data.parts), []
    limits = limits or {}
    if kind == "classes":
        for name in ("validation", "test"):
            if name in parts:
                column = None if data.roles is None else data.roles.target
                check_labels(parts["train"], parts[name], column)
    if "test" not in parts:
        parts["train"], parts["test"], note = held_out(parts["train"], kind, how)
        notes += note
    parts["train"] = _sampled(parts["train"], limits.get("train"))
    if "validation" in parts:
        parts["validation"] = _sampled(parts["validation"], limits.get("validation"))
    else:
        parts["train"], parts["validation"], note = held_out(parts["train"], kind, how)
        notes += note
    parts["test"] = _sampled(parts["test"], limits.get("test"))
    return {name: parts[name] for name in ("train", "validation", "test")}, notes


def check_labels(train: SeriesSet, other: SeriesSet, column: str | None = None) -> None:
    """Checks that a split that was given has no label that training lacks.

    Args:
        train: Training series.
        other: Series of the split.
        column: Name of the column of labels; None: the file has no columns.

    Raises:
        DataError: It has; the message names file, row and column.
    """
    where = "" if column is None else f", column {column}"
    known = set(train.targets or ())
    for i, label in enumerate(other.targets or ()):
        if label not in known:
            raise DataError(
                f"{other.place(i)}{where}: no training series has the label {shown(label, 40)!r}; allowed: "
                f"{listed(sorted(known))}; add training series of that label, or remove the row"
            )


def held_out(series: SeriesSet, kind: Kind, how: How = "random") -> tuple[SeriesSet, SeriesSet, list[str]]:
    """The series that are kept, those that are held out, and notes; always the same ones.

    Raises:
        DataError: Too few series or groups, or no times.
    """
    labels = list(series.targets or ())
    classes = sorted(set(labels)) if kind == "classes" else []
    count = held_out_count(len(series), 10, max(1, len(classes)))
    numbers = np.array([classes.index(label) for label in labels]) if classes else None
    if len(series) < 3:
        raise DataError(
            f"{series.path or 'the data'} has {len(series)} series; allowed: three or more, for training, validation "
            "and test; add some"
        )
    if how == "time":
        kept, held = _by_time(series, count)
        lost = len(series) - len(kept) - len(held)
        notes = [f"{lost} series reach into the time of held-out ones and are left out"] if lost else []
        return series.take(kept), series.take(held), notes
    if series.groups is not None:
        kept, held = _by_group(series, count, numbers)
    elif numbers is not None:
        kept, held = hold_out(numbers, count, seed=0)
    else:
        order = np.random.default_rng(0).permutation(len(series))
        kept, held = (np.sort(order[part]) for part in spread(len(series), count))
    return series.take(kept), series.take(held), []


def cut_in_time(series: SeriesSet, shares: Sequence[float] = (0.8, 0.1, 0.1)) -> dict[str, SeriesSet]:
    """Cuts each series into a past for training and a future for validation and test.

    With times all series are cut at the same moments, shares of the time from the first to the last step; without
    them each one at shares of its length. A series without a step in a part is not in that part.

    Args:
        series: Long series.
        shares: Of training, validation and test; their sum is 1.

    Returns:
        `train`, `validation` and `test`; the steps are not copied.
    """
    ends = np.cumsum(shares)[:-1]
    lengths = series.values.lengths
    if series.times is None:
        cuts = np.stack([np.floor(lengths * end + 1e-9).astype(np.int64) for end in ends])
    else:
        rows = [series.times.row(i) for i in range(len(series))]
        first, last = min(row[0] for row in rows), max(row[-1] for row in rows)
        moments = first + ends * (last - first)
        cuts = np.stack([np.searchsorted(row, moments) for row in rows], axis=1)
    edges = np.concatenate([np.zeros((1, len(series)), np.int64), cuts, lengths[None]])
    parts = {}
    for name, low, high in zip(("train", "validation", "test"), edges[:-1], edges[1:], strict=True):
        full = np.flatnonzero(high > low)
        part, skip, length = series.take(full), low[full], (high - low)[full]
        values, times = part.values, part.times
        parts[name] = dataclasses.replace(
            part,
            values=Segments(values.steps, values.begins + skip, length),
            times=None if times is None else Segments(times.steps, times.begins + skip, length),
            rows=None if part.rows is None else part.rows + skip,
        )
    return parts


def _by_time(series: SeriesSet, count: int) -> tuple[IntArray, IntArray]:
    if series.times is None:
        raise DataError(
            f"{series.path or 'the data'} has no times, which options.split=time needs; allowed: a column of times; "
            "name it with options.time"
        )
    rows = [series.times.row(i) for i in range(len(series))]
    first, last = np.array([row[0] for row in rows]), np.array([row[-1] for row in rows])
    border = np.sort(first)[-count]
    kept, held = np.flatnonzero(last < border), np.flatnonzero(first >= border)
    if not len(kept):
        raise DataError(
            f"{series.path or 'the data'}: every series reaches into the time of the last {count}; allowed: series "
            "that follow each other; set options.split=random"
        )
    return kept, held


def _by_group(series: SeriesSet, count: int, classes: IntArray | None) -> tuple[IntArray, IntArray]:
    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold  # takes a second to import

    assert series.groups is not None
    names, groups = np.unique(np.array(series.groups), return_inverse=True)
    if len(names) < 2:
        raise DataError(
            f"{series.path or 'the data'} has {len(names)} group to split, {str(names[0])!r}; allowed: three or more, "
            "for training, validation and test; choose another column with options.group"
        )
    folds = int(np.clip(round(len(series) / count), 2, len(names)))
    if classes is None:
        pairs = list(GroupKFold(folds).split(groups, groups=groups))
    else:
        folds = min(folds, int(np.bincount(classes).max()))
        pairs = list(StratifiedGroupKFold(max(2, folds), shuffle=True, random_state=0).split(groups, classes, groups))
        every = len(np.unique(classes))
        pairs = [pair for pair in pairs if len(np.unique(classes[pair[0]])) == every] or pairs
    kept, held = min(pairs, key=lambda pair: abs(len(pair[1]) - count))
    return np.asarray(kept, np.int64), np.asarray(held, np.int64)


def _sampled(series: SeriesSet, limit: int | None) -> SeriesSet:
    return series if limit is None or limit >= len(series) else series.take(sample(len(series), limit))
