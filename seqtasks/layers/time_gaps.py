"""Times between the steps that time-aware cells read, and the observation mask: checks and elapsed times."""

from __future__ import annotations

from typing import Any

from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.core import plugins
from seqtasks.core.errors import ConfigError, listed


def check_use(cell: Cell, arguments: dict[str, Any]) -> None:
    """Checks that a cell uses the time gaps and the observation mask of a call.

    Args:
        cell: The cell of a layer.
        arguments: Arguments of the call, by name.

    Raises:
        ConfigError: The cell has no use for one of them, or the inputs were projected before.
    """
    uses = {"time_gaps": cell.uses_gaps, "observed": cell.uses_observed}
    for name, is_used in uses.items():
        if arguments.get(name) is None:
            continue
        if not is_used:
            others = [entry.name for entry in plugins.cells.entries() if name in entry.about.get("inputs", "")]
            raise ConfigError(
                f"{name} with cell {getattr(cell, 'cell_name', type(cell).__name__)}, which does not use it; allowed: "
                f"{listed(others)}; choose one of them, or concatenate {name} to the inputs as a feature"
            )
        if arguments.get("projected"):
            raise ConfigError(f"{name} with projected inputs; allowed: the inputs themselves; pass projected=False")


def check_shapes(x: Any, time_gaps: Any, observed: Any) -> None:
    """Checks the shapes of time gaps and observation mask.

    Args:
        x: Inputs, `(batch, time, features)`.
        time_gaps: Time since the step before, `(batch, time)`, or None.
        observed: Observation mask, `(batch, time, features)`, or None.

    Raises:
        ValueError: One of them has a wrong shape.
    """
    for name, array, expected in (("time_gaps", time_gaps, x.shape[:2]), ("observed", observed, x.shape)):
        if array is None:
            continue
        sizes = list(zip(array.shape, expected, strict=False))
        if len(array.shape) != len(expected) or any(a != b for a, b in sizes if None not in (a, b)):
            raise ValueError(
                f"{name} has shape {tuple(array.shape)}; allowed: {tuple(expected)}, as the inputs have; reshape it"
            )


def without_missing(x: Any, observed: Any) -> Any:
    """Replaces values that were not observed, which may be NaN, by zeros.

    Args:
        x: Inputs, `(batch, time, features)`.
        observed: Observation mask, `(batch, time, features)`; None: all are observed.
    """
    return x if observed is None else ops.where(ops.cast(observed, "bool"), x, ops.zeros_like(x))


def elapsed(gaps: Any, mask: Any = None, backward: bool = False) -> Any:
    """Computes the time between each valid step and the valid step that is read before it.

    The gaps of masked steps add up. Forward, the first valid step has the time since the beginning, its own gap
    included; backward, the last valid step, which is read first, has 0.

    Args:
        gaps: Time between each step and the one before it in the sequence, `(batch, time)`.
        mask: `(batch, time)`, true at valid steps; None: all are.
        backward: Whether the steps are read from the last to the first.

    Returns:
        `(batch, time)`, 0 at masked steps, in the order of `gaps`.
    """
    if mask is not None:
        mask = ops.cast(mask, "bool")
    if backward:
        gaps, mask = ops.flip(gaps, axis=1), None if mask is None else ops.flip(mask, axis=1)
        if mask is not None:  # right padding, which is read first
            gaps = ops.where(ops.cumsum(ops.cast(mask, "int32"), axis=1) > 0, gaps, ops.zeros_like(gaps))
        gaps = ops.concatenate([ops.zeros_like(gaps[:, :1]), gaps[:, :-1]], axis=1)
    if mask is not None:
        gaps = ops.where(mask, _sums_since_valid(gaps, mask), ops.zeros_like(gaps))
    return ops.flip(gaps, axis=1) if backward else gaps


def _sums_since_valid(gaps: Any, mask: Any) -> Any:
    """Returns for each valid step the sum of its gap and those of the masked steps directly before it."""
    batch, time = ops.shape(gaps)
    valid = ops.cast(mask, "int32")
    # Steps with the same number of valid steps before them are one segment, which ends with a valid step.
    segments = ops.cumsum(valid, axis=1) - valid + (time + 1) * ops.arange(batch, dtype="int32")[:, None]
    segments = ops.reshape(segments, (-1,))
    sums = ops.segment_sum(ops.reshape(gaps, (-1,)), segments, num_segments=batch * (time + 1))
    return ops.reshape(ops.take(sums, segments, axis=0), (batch, time))
