"""Training, validation and test examples, and how they are cut."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqtasks.data.sources import Source
from seqtasks.errors import DataError, listed


@dataclass(frozen=True)
class Examples:
    """Inputs by name and their targets: arrays whose first axis is the example, or `Ragged`.

    Raises:
        DataError: the arrays disagree about how many examples there are.
    """

    inputs: dict[str, Any]
    targets: Any

    def __post_init__(self) -> None:
        for name, array in self.inputs.items():
            if len(array) != len(self.targets):
                raise DataError(f"input {name!r} has {len(array)} examples, expected {len(self.targets)}, as targets")

    def __len__(self) -> int:
        return len(self.targets)

    def take(self, which: int | Sequence[int] | np.ndarray) -> Examples:
        """The first `which` examples, or those at these indices."""
        index: Any = slice(which) if isinstance(which, int) else np.asarray(which, np.int64)
        return Examples({name: array[index] for name, array in self.inputs.items()}, self.targets[index])


@dataclass(frozen=True)
class Splits:
    """All the data of a run.

    Attributes:
        source: the text of the source, e.g. `tfds:mnist`.
        fingerprint: of the arrays as read, see `seqtasks.data.cache`.
        spec: JSON-able facts that the model and prediction need: shape, classes, counts.
    """

    train: Examples
    validation: Examples
    test: Examples
    source: str
    fingerprint: str
    spec: dict[str, Any]


def check_labels(source: Source, labels: Mapping[str, Iterable[str]], what: str) -> None:
    """Refuses labels of other splits that training has not.

    Args:
        source: named in the error.
        labels: by split, `train` among them.
        what: has these labels, in the plural; named in the error.

    Raises:
        DataError: there are such labels.
    """
    known = set(labels["train"])
    for part, found in labels.items():
        if unseen := sorted(set(found) - known):
            raise DataError(
                f"{source}: the {part} split has labels that training has not: {listed(unseen)}; correct them, or "
                f"move some of their {what} to the training split"
            )


def stratified(targets: np.ndarray, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Holds out `count` examples with the classes in proportion.

    Args:
        targets: labels (n,).
        count: how many to hold out.
        seed: of the choice; the same seed gives the same split.

    Returns:
        The indices kept and those held out, both sorted, int64.

    Raises:
        DataError: too few examples for every class to be on both sides.
    """
    from sklearn.model_selection import train_test_split  # takes a second to import

    classes, members = np.unique(targets, return_counts=True)
    rest = len(targets) - count
    if min(count, rest) < max(1, len(classes)):
        raise DataError(
            f"cannot hold out {count} of {len(targets)} examples: both parts need one of each of the "
            f"{len(classes)} classes; use more data or hold out another number"
        )
    if members.min() < 2:
        raise DataError(
            f"class {classes[members.argmin()]} has only one example, expected two or more to hold some out; "
            "add examples or remove the class"
        )
    kept, held_out = train_test_split(np.arange(len(targets)), test_size=count, random_state=seed, stratify=targets)
    return np.sort(kept), np.sort(held_out)


def limit(splits: Splits, count: int | None) -> Splits:
    """The first `count` examples of each split, all for None; `spec["counts"]` follows."""
    if count is None:
        return splits
    parts = {name: getattr(splits, name).take(count) for name in ("train", "validation", "test")}
    spec = {**splits.spec, "counts": {name: len(part) for name, part in parts.items()}}
    return dataclasses.replace(splits, **parts, spec=spec)
