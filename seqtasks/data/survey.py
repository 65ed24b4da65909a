"""Facts about labelled data before training: sizes, rare labels, duplicates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field

PARTS = ("train", "validation", "test")
MOST = 0.9  # a larger share of one label is remarkable
SHOWN = 3  # names in a list


@dataclass(frozen=True)
class Survey:
    """What is counted of the data.

    Attributes:
        counts: examples of each split.
        labels: the labels of each split, one for each example or step; empty: there are none.
        keys: what makes an example equal to another, of each split; empty: it is not looked at.
        empty: examples of each split without content.
        notes: what else was guessed or is unusual, one phrase each.
    """

    counts: Mapping[str, int]
    labels: Mapping[str, Sequence[str]] = field(default_factory=dict)
    keys: Mapping[str, Sequence[Hashable]] = field(default_factory=dict)
    empty: Mapping[str, int] = field(default_factory=dict)
    notes: Sequence[str] = ()


def summary(survey: Survey, unit: str) -> str:
    """One line: the sizes of the splits, then whatever is unusual.

    Args:
        survey: of the data.
        unit: what an example is, in the plural, e.g. `"texts"`.
    """
    c = survey.counts
    sizes = f"{c['train']:,} {unit} for training, {c['validation']:,} for validation, {c['test']:,} for test"
    return "; ".join([sizes, *_labels(survey), *_duplicates(survey, unit), *_empty(survey, unit), *survey.notes])


def _labels(survey: Survey) -> list[str]:
    if not survey.labels:
        return []
    counts = {part: Counter(survey.labels[part]) for part in PARTS}
    train, total = counts["train"], sum(counts["train"].values())
    label, most = train.most_common(1)[0]
    lines = [f"{len(train)} labels, the most frequent is {label!r} ({100 * most / total:.0f} %)"]
    if most > MOST * total:
        lines[0] += ", so that always answering it is right that often"
    if single := sorted(name for name, count in train.items() if count == 1):
        lines.append(f"only one training example for {_names(single)}")
    for part in ("validation", "test"):
        if unseen := sorted(set(counts[part]) - set(train)):
            times = sum(counts[part][name] for name in unseen)
            lines.append(f"{part} has {_names(unseen)} ({times:,} times), which training has not: always wrong")
    return lines


def _duplicates(survey: Survey, unit: str) -> list[str]:
    if not survey.keys:
        return []
    train = set(survey.keys["train"])
    lines = []
    for part in ("validation", "test"):
        again = sum(key in train for key in survey.keys[part])
        if again:
            share = 100 * again / len(survey.keys[part])
            lines.append(f"{again:,} {part} {unit} ({share:.2g} %) are in training as well")
    return lines


def _empty(survey: Survey, unit: str) -> list[str]:
    return [f"{count:,} {part} {unit} are empty" for part, count in survey.empty.items() if count]


def _names(names: Sequence[str]) -> str:
    others = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{'labels' if len(names) > 1 else 'label'} {', '.join(map(repr, names[:SHOWN]))}{others}"
