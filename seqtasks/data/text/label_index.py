"""Indices of names: words, characters, labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

PADDING, UNKNOWN = "<pad>", "<unk>"


class LabelIndex:
    """Numbers of names, frequent ones first.

    Args:
        names: in the order of their numbers.
    """

    def __init__(self, names: Sequence[str]):
        self.names = list(names)
        self._numbers = {name: number for number, name in enumerate(self.names)}

    @classmethod
    def count(cls, names: Iterable[str], least: int = 1) -> LabelIndex:
        """Of all names that come at least so often, after 0 for padding and 1 for unknown ones."""
        counts = Counter(names)
        known = sorted((name for name, times in counts.items() if times >= least), key=lambda n: (-counts[n], n))
        return cls([PADDING, UNKNOWN, *(name for name in known if name not in (PADDING, UNKNOWN))])

    def __len__(self) -> int:
        return len(self.names)

    def number(self, name: str) -> int:
        """Its number, 1 where it is unknown."""
        return self._numbers.get(name, 1)
