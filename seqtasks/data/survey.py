"""Facts about labelled data before training: sizes, rare labels, duplicates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

PARTS = ("train", "validation", "test")
MOST = 0.9  # fraction of the most frequent label above which the summary warns
SHOWN = 3  # maximum number of names in a list


@dataclass(frozen=True)
class Survey:
    """Counts of labelled data, by split.

    Attributes:
        counts: Number of examples.
        labels: Labels of all examples or steps, or the number of each label; empty: the data has no labels.
        keys: Keys of the examples, equal for duplicates, or an array of hashes; empty: duplicates are not counted.
        empty: Number of examples without content.
        notes: What else was guessed or is unusual, one phrase each.
    """

    counts: Mapping[str, int]
    labels: Mapping[str, Sequence[str] | Mapping[str, int]] = field(default_factory=dict)
    keys: Mapping[str, Sequence[Hashable] | np.ndarray] = field(default_factory=dict)
    empty: Mapping[str, int] = field(default_factory=dict)
    notes: Sequence[str] = ()


def summary(survey: Survey, unit: str) -> str:
    """One line with the sizes of the splits, the most frequent label, and rare labels and duplicates.

    Args:
        survey: The counts.
        unit: Plural noun for the examples, e.g. `"texts"`.
    """
    counts = survey.counts
    sizes = (
        f"{counts['train']:,} {unit} for training, {counts['validation']:,} for validation, {counts['test']:,} for test"
    )
    return "; ".join([sizes, *_labels(survey), *_duplicates(survey, unit), *_empty(survey, unit), *survey.notes])


def _labels(survey: Survey) -> list[str]:
    if not survey.labels:
        return []
    counts = {part: Counter(survey.labels[part]) for part in PARTS}
    train, total = counts["train"], sum(counts["train"].values())
    label, most = train.most_common(1)[0]
    lines = [f"{len(train)} labels, the most frequent is {label!r} ({100 * most / total:.0f} %)"]
    if most > MOST * total:
        lines[0] += ", so a constant prediction has this accuracy"
    if single := sorted(name for name, count in train.items() if count == 1):
        lines.append(f"only one training example for {_names(single)}")
    for part in ("validation", "test"):
        if unseen := sorted(set(counts[part]) - set(train)):
            times = sum(counts[part][name] for name in unseen)
            lines.append(f"{part} has {_names(unseen)} ({times:,} times), not in training: always predicted wrong")
    return lines


def _duplicates(survey: Survey, unit: str) -> list[str]:
    if not survey.keys:
        return []
    import numpy as np  # takes a tenth of a second, which a list of runs should not wait for

    train = survey.keys["train"]
    known: Any = train if isinstance(train, np.ndarray) else set(train)
    lines = []
    for part in ("validation", "test"):
        keys: Any = survey.keys[part]
        if isinstance(known, np.ndarray):
            duplicates = int(np.isin(keys, known).sum())
        else:
            duplicates = sum(key in known for key in keys)
        if duplicates:
            percent = 100 * duplicates / len(survey.keys[part])
            lines.append(f"also in training: {duplicates:,} of the {part} {unit} ({percent:.2g} %)")
    return lines


def _empty(survey: Survey, unit: str) -> list[str]:
    return [f"empty: {count:,} of the {part} {unit}" for part, count in survey.empty.items() if count]


def _names(names: Sequence[str]) -> str:
    others = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{'labels' if len(names) > 1 else 'label'} {', '.join(map(repr, names[:SHOWN]))}{others}"
