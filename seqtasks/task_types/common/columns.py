"""Columns of prediction rows: class probabilities and shaded text."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text


class Shaded(Text):
    """A text whose colours mean something.

    Attributes:
        legend: what they mean; printed once below a table in a terminal.
    """

    legend: Text | None = None


def probabilities(names: Sequence[str], p: Sequence[float]) -> dict[str, float]:
    """Columns for the probabilities of classes."""
    return {f"P({name})": round(float(value), 4) for name, value in zip(names, p, strict=True)}
