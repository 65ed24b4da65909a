"""Training, validation and test examples, and functions that split data."""

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
    """Examples of one split: inputs by name, and targets.

    Attributes:
        inputs: Arrays `(examples, ...)`, or other sequences that are indexed like an array, such as
            `seqtasks.data.bucketing.Ragged`.
        targets: An array or sequence of the same length.

    Raises:
        DataError: An input and the targets have different lengths.

    Example:
        >>> import numpy as np
        >>> from seqtasks import Examples
        >>> examples = Examples({"x": np.zeros((3, 5, 2))}, np.array([0, 1, 1]))
        >>> len(examples), examples.take([2, 0]).targets
        (3, array([1, 0]))
    """

    inputs: dict[str, Any]
    targets: Any

    def __post_init__(self) -> None:
        for name, array in self.inputs.items():
            if len(array) != len(self.targets):
                raise DataError(
                    f"input {name!r} has {len(array)} examples, expected {len(self.targets)}, as targets; "
                    "give inputs and targets of equal length"
                )

    def __len__(self) -> int:
        return len(self.targets)

    def take(self, which: int | Sequence[int] | IntArray) -> Examples:
        """Returns some of the examples.

        Args:
            which: Number of examples from the first on, or indices of the examples.
        """
        index: Any = slice(which) if isinstance(which, int) else np.asarray(which, np.int64)
        return Examples({name: array[index] for name, array in self.inputs.items()}, self.targets[index])

    def joined(self, other: Examples) -> Examples:
        """Returns these examples and then those of another split, with inputs of the same names."""
        inputs = {name: _joined(array, other.inputs[name]) for name, array in self.inputs.items()}
        return Examples(inputs, _joined(self.targets, other.targets))


def _joined(first: Any, second: Any) -> Any:
    return first.joined(second) if hasattr(first, "joined") else np.concatenate([first, second])


@dataclass(frozen=True)
class Splits:
    """Training, validation and test examples of a run, with their source and facts.

    Attributes:
        train: Training examples.
        validation: Validation examples.
        test: Test examples.
        source: Text of the data source, e.g. `tfds:mnist`.
        fingerprint: Fingerprint of the data, see `seqtasks.fingerprint`.
        spec: Facts that the model and prediction need, such as names of classes. A dictionary is converted
            to a `Spec` if it has the names of one, else to an `UntypedSpec`.

    Example:
        >>> from seqtasks import Examples, Splits
        >>> def draw(rng, count):
        ...     x = rng.normal(size=(count, 10, 1))
        ...     return Examples({"x": x}, x.sum(axis=1))
        >>> splits = Splits.generate(draw, {"train": 80, "validation": 10, "test": 10}, "builtin:sums")
        >>> splits.test.targets.shape
        (10, 1)
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
        """Makes splits of generated examples; equal arguments give equal examples.

        Args:
            draw: Function of a random generator and a number that returns this number of examples.
            counts: Number of examples of `train`, `validation` and `test`.
            source: Text of the data source.
            key: Numbers that the examples depend on, such as their length; part of the seed.
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
    """Number of examples to hold out: one in `share`; of small sets 100, but at most a fifth.

    The fraction of small sets is larger, because a score of few examples is mostly chance: the 95 % interval
    of an accuracy is ±18 percentage points with 30 examples and ±10 with 100.

    Args:
        count: Number of all examples.
        share: Inverse of the fraction for large sets, e.g. 10 for a tenth.
        classes: Minimum of the result, so that each class can have an example.

    Example:
        >>> from seqtasks.data.splits import held_out_count
        >>> held_out_count(25_000, 10), held_out_count(700, 10), held_out_count(50, 10)
        (2500, 100, 10)
    """
    return max(count // share, min(100, count // 5), classes)


def sample(count: int, limit: int | None) -> IntArray:
    """Indices of a random sample of examples without replacement, sorted; the same in every call.

    Args:
        count: Number of all examples.
        limit: Size of the sample; a larger sample contains the smaller ones. None: all examples.
    """
    if limit is None or limit >= count:
        return np.arange(count)
    return np.sort(np.random.default_rng(0).permutation(count)[:limit])


def stratified(targets: IntArray, count: int, seed: int) -> tuple[IntArray, IntArray]:
    """Stratified split: holds out examples of each class in proportion.

    Args:
        targets: Labels, `(examples,)`.
        count: Number of examples to hold out.
        seed: Seed of the choice.

    Returns:
        Indices of the kept and of the held-out examples, both sorted, int64.

    Raises:
        DataError: There are too few examples for every class to be in both parts.
    """
    from sklearn.model_selection import train_test_split  # the import takes a second

    classes, members = np.unique(targets, return_counts=True)
    remaining = len(targets) - count
    if min(count, remaining) < max(1, len(classes)):
        raise DataError(
            f"cannot hold out {count} of {len(targets)} examples: both parts need one of each of the "
            f"{len(classes)} classes; add examples, or give validation and test data in files of their own"
        )
    if members.min() < 2:
        raise DataError(
            f"class {classes[members.argmin()]} has only one example, expected two or more to hold some out; "
            "add examples or remove the class"
        )
    kept, held_out = train_test_split(np.arange(len(targets)), test_size=count, random_state=seed, stratify=targets)
    return np.sort(kept), np.sort(held_out)


def hold_out(targets: IntArray, count: int, seed: int) -> tuple[IntArray, IntArray]:
    """Stratified split that allows classes with a single example, which is always kept.

    Args:
        targets: Labels, `(examples,)`.
        count: Number of examples to hold out.
        seed: Seed of the choice.

    Returns:
        Indices of the kept and of the held-out examples, both sorted, int64.

    Raises:
        DataError: There are too few examples for every class of two or more to be in both parts.
    """
    _, numbers, members = np.unique(targets, return_inverse=True, return_counts=True)
    not_single = np.flatnonzero(members[numbers] > 1)
    if len(targets) and not len(not_single):
        raise DataError(
            f"{len(targets)} example{'s' * (len(targets) != 1)} cannot be divided into training and held-out examples: "
            "no label occurs twice; needed: two or more examples of each label; add examples, or check where the "
            "labels are read from"
        )
    _, held_out = stratified(targets[not_single], count, seed)
    held_out = not_single[held_out]
    return np.setdiff1d(np.arange(len(targets)), held_out), held_out


def spread(count: int, held: int) -> tuple[list[int], list[int]]:
    """Holds out evenly spaced examples.

    Args:
        count: Number of all examples.
        held: Number of examples to hold out; at least one is held out.

    Returns:
        Indices of the kept and of the held-out examples.
    """
    held_out = np.unique(np.linspace(0, count - 1, max(1, held)).astype(int)).tolist()
    excluded = set(held_out)
    return [i for i in range(count) if i not in excluded], held_out


def limit(splits: Splits, count: int | None, test: int | None = None) -> Splits:
    """Cuts splits to their first examples.

    Args:
        splits: The splits.
        count: Maximum number of training and of validation examples; None: all.
        test: Maximum number of test examples; None: all.
    """
    if count is None and test is None:
        return splits
    maximum = {"train": count, "validation": count, "test": test}
    parts = {}
    for name, part in splits.parts.items():
        first = maximum[name]
        parts[name] = part if first is None else part.take(first)
    spec = dataclasses.replace(splits.spec, counts={name: len(part) for name, part in parts.items()})
    train, validation, held_out = parts.values()
    return dataclasses.replace(splits, train=train, validation=validation, test=held_out, spec=spec)
