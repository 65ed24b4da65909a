"""Mapping of words, characters or labels to numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

PADDING, UNKNOWN = "<pad>", "<unk>"


class LabelIndex:
    """Mapping of names (words, characters or labels) to numbers.

    Args:
        names: Names in the order of their numbers.

    Example:
        >>> from seqtasks.data.text.label_index import LabelIndex
        >>> index = LabelIndex.count(["cat", "dog", "cat"])
        >>> index.names, index.number("cat"), index.number("bird")
        (['<pad>', '<unk>', 'cat', 'dog'], 2, 1)
    """

    def __init__(self, names: Sequence[str]):
        self.names = list(names)
        self._numbers = {name: number for number, name in enumerate(self.names)}

    @classmethod
    def count(cls, names: Iterable[str] | Mapping[str, int], least: int = 1) -> LabelIndex:
        """Numbers names by frequency, the most frequent first, from 2; 0 is padding and 1 is unknown.

        Args:
            names: All occurrences of the names, or the number of occurrences of each.
            least: Minimum number of occurrences of a name; rarer names are unknown.
        """
        counts = Counter(names)
        frequent = sorted((name for name, times in counts.items() if times >= least), key=lambda n: (-counts[n], n))
        return cls([PADDING, UNKNOWN, *(name for name in frequent if name not in (PADDING, UNKNOWN))])

    def __len__(self) -> int:
        return len(self.names)

    def number(self, name: str) -> int:
        """The number of a name, 1 if it is unknown."""
        return self._numbers.get(name, 1)
