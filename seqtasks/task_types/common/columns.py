"""Columns of prediction rows: class probabilities and shaded text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.text import Text

if TYPE_CHECKING:  # the command line imports this module, and no NumPy before it is needed
    from seqtasks.core.arrays import FloatArray


class Shaded(Text):
    """A text whose colours mean something.

    Attributes:
        legend: what they mean; printed once below a table in a terminal.
    """

    legend: Text | None = None


def probabilities(names: Sequence[str], p: Iterable[float]) -> dict[str, float]:
    """Columns for the probabilities of classes."""
    return {f"P({name})": round(float(value), 4) for name, value in zip(names, p, strict=True)}


def class_row(
    example: Mapping[str, Any],
    classes: Sequence[str],
    p: FloatArray,
    facts: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A prediction row of a classifier: the example, the likeliest class, further facts, all probabilities.

    Args:
        example: Columns that name the example, such as `{"image": "a.png"}`.
        classes: Names of the classes.
        p: Their probabilities, (classes,).
        facts: Columns after the answer.
    """
    return {**example, "answer": classes[int(p.argmax())], **(facts or {}), **probabilities(classes, p)}
