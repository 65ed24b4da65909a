"""Confidence intervals of scores that are fractions of test examples, such as accuracy."""

from __future__ import annotations

import math

from seqtasks.experiments.results import Row

Z = 1.96  # standard normal quantile of a 95 % interval
LARGE = 0.05  # deviation of 5 percentage points; smaller ones are not reported
ONE_ANSWER = ("many-to-one", "one-to-one")  # topologies in which an accuracy counts examples, not steps


def wilson(fraction: float, count: int) -> tuple[float, float]:
    """95 % Wilson score interval of a fraction, without continuity correction.

    The normal interval would have the width 0 for a fraction of 0 or 1.

    Args:
        fraction: Observed fraction, from 0 to 1.
        count: Number of observations.

    Returns:
        Lower and upper bound, from 0 to 1.

    Example:
        >>> low, high = wilson(0.5, 30)
        >>> round(low, 3), round(high, 3)
        (0.332, 0.668)
    """
    square = Z * Z / count
    center = (fraction + square / 2) / (1 + square)
    half = math.sqrt(fraction * (1 - fraction) * square + square * square / 4) / (1 + square)
    # Rounding must not exclude the fraction itself, e.g. 1.
    return max(0.0, min(fraction, center - half)), min(1.0, max(fraction, center + half))


def interval(row: Row) -> tuple[float, float] | None:
    """95 % interval of the value of a row; None if it is no fraction of test examples.

    Args:
        row: Result row; rows of older versions have no number of test examples.
    """
    counts_examples = row.metric == "exact" or (row.metric == "accuracy" and row.topology in ONE_ANSWER)
    if not row.test_examples or not counts_examples or not 0 <= row.value <= 1:
        return None
    return wilson(row.value, row.test_examples)


def deviation(row: Row) -> float:
    """Largest distance of the value to a bound of its interval; 0 if it has none."""
    bounds = interval(row)
    return 0.0 if bounds is None else max(row.value - bounds[0], bounds[1] - row.value)
