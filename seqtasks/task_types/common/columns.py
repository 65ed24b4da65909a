"""Columns of prediction rows: class probabilities and shaded text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.text import Text

if TYPE_CHECKING:  # The command line imports this module, also for commands that do not need NumPy.
    from seqtasks.core.arrays import FloatArray


class Shaded(Text):
    """Text with colours that have a meaning.

    Attributes:
        legend: Explanation of the colours, printed once below a table in a terminal; None: no explanation.
    """

    legend: Text | None = None


def probabilities(names: Sequence[str], p: Iterable[float]) -> dict[str, float]:
    """Formats class probabilities as columns of a prediction row.

    Args:
        names: Names of the classes.
        p: Probabilities, `(classes,)`.

    Returns:
        Probabilities with four decimals, by column name.

    Raises:
        ValueError: The numbers of names and probabilities differ.

    Example:
        >>> probabilities(["no", "yes"], [0.25, 0.75])
        {'P(no)': 0.25, 'P(yes)': 0.75}
    """
    return {f"P({name})": round(float(value), 4) for name, value in zip(names, p, strict=True)}


def class_row(
    example: Mapping[str, Any],
    classes: Sequence[str],
    p: FloatArray,
    facts: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Builds a prediction row of a classifier: example, likeliest class, other columns, probabilities.

    Args:
        example: Columns that name the example, such as `{"image": "a.png"}`.
        classes: Names of the classes.
        p: Probabilities of the classes, `(classes,)`.
        facts: Columns after the likeliest class; None: none.

    Returns:
        The columns in this order; the likeliest class is the column `answer`.
    """
    return {**example, "answer": classes[int(p.argmax())], **(facts or {}), **probabilities(classes, p)}
