"""Units that follow a property of the steps: chosen on one half of the data, measured on the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from seqtasks.core.arrays import BoolArray, FloatArray, IntArray

FEWEST = 20  # minimum number of steps of each half at which a property of two values has the rarer one


@dataclass(frozen=True)
class Following:
    """A unit and the property that it follows.

    Attributes:
        unit: Number of the column of the values.
        property: Name of the property.
        chosen: Correlation on the half that the unit was chosen on.
        correlation: Correlation on the other half.
        by_symbol: Correlation, on the other half, of the best prediction from the present symbol alone; None: there
            are no symbols.
        partial: Correlation, on the other half, of unit and property after the mean at the present symbol is
            subtracted from both; 0 for a unit that depends on the present symbol only. None: there are no symbols.
    """

    unit: int
    property: str
    chosen: float
    correlation: float
    by_symbol: float | None
    partial: float | None


def following(
    values: FloatArray,
    properties: Mapping[str, FloatArray],
    symbols: IntArray | None = None,
    units: IntArray | None = None,
) -> list[Following]:
    """Finds for each property the unit that correlates with it most.

    The steps are cut into two halves. The unit is the one with the largest absolute correlation on the first half;
    `correlation` is measured on the second. The prediction from the symbol is the mean of the property at each symbol
    of the first half.

    Args:
        values: Values of the units, `(steps, units)`, in the order of the text or of the examples.
        properties: Values of the properties by name, `(steps,)`, NaN where not defined.
        symbols: Number of the symbol at each step, `(steps,)`.
        units: Units that may be chosen; None: all.

    Returns:
        One entry for each property that varies in both halves, the largest absolute correlation first.

    Example:
        >>> import numpy as np
        >>> from seqtasks.views.units import following
        >>> position = np.arange(400) % 20.0
        >>> noise = np.random.default_rng(0).normal(size=(400, 3))
        >>> noise[:, 1] -= position
        >>> best = following(noise, {"position": position})[0]
        >>> best.unit, round(best.correlation, 1)
        (1, -1.0)
    """
    half = len(values) // 2
    allowed = np.arange(values.shape[1]) if units is None else np.asarray(units)
    results = []
    for name, property_values in properties.items():
        defined = np.isfinite(property_values)
        first, second = defined.copy(), defined.copy()
        first[half:], second[:half] = False, False
        if not all(_varies(property_values[part]) for part in (first, second)):
            continue
        chosen = correlations(values[first][:, allowed], property_values[first])
        best = int(np.abs(chosen).argmax())
        unit = int(allowed[best])
        measured = float(correlations(values[second][:, [unit]], property_values[second])[0])
        by_symbol, partial = None, None
        if symbols is not None:
            of_property, of_unit = (
                _mean_of_symbol(symbols, column, first)[symbols[second]]
                for column in (property_values, values[:, unit])
            )
            by_symbol = float(correlations(of_property[:, None], property_values[second])[0])
            beyond = values[second, unit] - of_unit
            partial = float(correlations(beyond[:, None], property_values[second] - of_property)[0])
        results.append(Following(unit, name, float(chosen[best]), measured, by_symbol, partial))
    return sorted(results, key=lambda row: -abs(row.correlation))


def correlations(values: FloatArray, target: FloatArray) -> FloatArray:
    """Pearson's correlation of each column with a target; 0 for a constant column.

    Args:
        values: `(steps, units)`.
        target: `(steps,)`.
    """
    x = np.asarray(values, np.float64)
    x = x - x.mean(axis=0)
    y = np.asarray(target, np.float64) - np.mean(target)
    scale = np.sqrt((x**2).sum(axis=0) * (y**2).sum())
    products = y @ x
    return np.divide(products, scale, out=np.zeros_like(products), where=scale > 1e-12)


def _varies(values: FloatArray) -> bool:
    """Whether a property has enough steps of each value."""
    if len(values) < FEWEST:
        return False
    distinct, counts = np.unique(values, return_counts=True)
    return len(distinct) > 2 or (len(distinct) == 2 and int(counts.min()) >= FEWEST)


def _mean_of_symbol(symbols: IntArray, values: FloatArray, used: BoolArray) -> FloatArray:
    """Mean of values at each symbol over the steps that are used, `(symbols,)`; their whole mean for other symbols."""
    size = int(symbols.max()) + 1
    counts = np.bincount(symbols[used], minlength=size)
    sums = np.bincount(symbols[used], weights=values[used], minlength=size)
    return np.where(counts > 0, sums / np.maximum(counts, 1), values[used].mean())
