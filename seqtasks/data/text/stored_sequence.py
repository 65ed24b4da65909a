"""Base class of sequences whose elements are made from arrays when they are read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

Element = TypeVar("Element", covariant=True)


class StoredSequence(Sequence[Element]):
    """A sequence that equals every other sequence with equal elements in the same order, such as a list.

    Example:
        >>> from seqtasks.data.text.packed_texts import PackedTexts
        >>> PackedTexts.of(["ein", "Wort"]) == ["ein", "Wort"], PackedTexts.of(["ein"]) == ["ein", "Wort"]
        (True, False)
    """

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or len(self) != len(other):
            return False
        return all(a == b for a, b in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]
