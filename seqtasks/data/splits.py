"""Training, validation and test examples, and rules of splitting."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqtasks.core.arrays import IntArray
from seqtasks.core.errors import DataError
from seqtasks.data.cache import fingerprint
from seqtasks.data.spec import Spec, as_spec


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

    def take(self, which: int | Sequence[int] | IntArray) -> Examples:
        """The first `which` examples, or those at these indices."""
        index: Any = slice(which) if isinstance(which, int) else np.asarray(which, np.int64)
        return Examples({name: array[index] for name, array in self.inputs.items()}, self.targets[index])


@dataclass(frozen=True)
class Splits:
    """All the data of a run.

    Attributes:
        source: the text of the source, e.g. `tfds:mnist`.
        fingerprint: of the arrays as read, see `seqtasks.data.cache`.
        spec: facts that the model and prediction need, such as names of classes; of a dictionary an
            `UntypedSpec` is made, unless its names are those of `Spec`.
    """

    train: Examples
    validation: Examples
    test: Examples
    source: str
    fingerprint: str
    spec: Spec

    def __post_init__(self) -> None:
        object.__setattr__(self, "spec", as_spec(self.spec))

    @property
    def parts(self) -> dict[str, Examples]:
        """The three splits by name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    @classmethod
    def generate(
        cls,
        draw: Callable[[np.random.Generator, int], Examples],
        counts: Mapping[str, int],
        source: str,
        key: Sequence[int] = (),
    ) -> Splits:
        """Splits of generated examples, the same in every run.

        Args:
            draw: Makes so many examples with a random generator.
            counts: Number of examples of `train`, `validation` and `test`.
            source: Text of the data source.
            key: Numbers that the examples depend on, such as their length.
        """
        rngs = (np.random.default_rng([number, *key]) for number in range(len(counts)))
        parts = {name: draw(rng, count) for rng, (name, count) in zip(rngs, counts.items(), strict=True)}
        data: dict[str, np.ndarray] = {}
        for name, part in parts.items():
            inputs = part.inputs.values()
            data |= {f"{name} x{i or ''}": np.asarray(array) for i, array in enumerate(inputs)}
            data[f"{name} y"] = np.asarray(part.targets)
        return cls(**parts, source=source, fingerprint=fingerprint(data), spec=Spec(counts=counts))


def held_out_count(count: int, share: int, classes: int = 1) -> int:
    """How many of `count` examples to hold out: one in `share`, but of small sets up to 100, at most a fifth.

    A score of few examples is mostly chance: 30 texts give an accuracy to ±18 points (95 %), 100 to ±10.

    Args:
        count: of the examples.
        share: of a large set, such as 10 for a tenth.
        classes: the least, so that each class can have an example.
    """
    return max(count // share, min(100, count // 5), classes)


def sample(count: int, limit: int | None) -> IntArray:
    """The indices of the first `limit` of `count` examples in a fixed mixed order, sorted; all of them for None."""
    if limit is None or limit >= count:
        return np.arange(count)
    return np.sort(np.random.default_rng(0).permutation(count)[:limit])


def stratified(targets: IntArray, count: int, seed: int) -> tuple[IntArray, IntArray]:
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
    remaining = len(targets) - count
    if min(count, remaining) < max(1, len(classes)):
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


def hold_out(targets: IntArray, count: int, seed: int) -> tuple[IntArray, IntArray]:
    """As `stratified`, but a class with a single example keeps it on the side that is kept.

    Args:
        targets: labels (n,).
        count: how many to hold out.
        seed: of the choice; the same seed gives the same split.

    Returns:
        The indices kept and those held out, both sorted, int64.

    Raises:
        DataError: too few examples for every other class to be on both sides.
    """
    _, numbers, members = np.unique(targets, return_inverse=True, return_counts=True)
    several = np.flatnonzero(members[numbers] > 1)
    if len(targets) and not len(several):
        raise DataError(
            f"cannot hold out {count} of {len(targets)} examples: each has a label that no other has, expected two or "
            "more of a label; add examples, or check where the labels are read from"
        )
    _, held = stratified(targets[several], count, seed)
    held = several[held]
    return np.setdiff1d(np.arange(len(targets)), held), held


def spread(count: int, held: int) -> tuple[list[int], list[int]]:
    """All but `held` of `count` indices, at least one, and those, spread evenly; always the same ones."""
    out = np.unique(np.linspace(0, count - 1, max(1, held)).astype(int)).tolist()
    chosen = set(out)
    return [i for i in range(count) if i not in chosen], out


def limit(splits: Splits, count: int | None, test: int | None = None) -> Splits:
    """The first `count` training and validation examples and the first `test` of the test split; all for None."""
    if count is None and test is None:
        return splits
    most = {"train": count, "validation": count, "test": test}
    parts = {}
    for name, part in splits.parts.items():
        first = most[name]
        parts[name] = part if first is None else part.take(first)
    spec = dataclasses.replace(splits.spec, counts={name: len(part) for name, part in parts.items()})
    train, validation, held = parts.values()
    return dataclasses.replace(splits, train=train, validation=validation, test=held, spec=spec)
