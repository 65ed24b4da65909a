"""The part of a cell that needs no state, for the whole sequence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from keras import ops

if TYPE_CHECKING:
    from seqtasks.cells.base import Cell


def project(cell: Cell, x: Any) -> Any:
    """The inputs of all steps projected in one product.

    Args:
        cell: a built cell.
        x: (batch, time, features).

    Returns:
        (time, batch, width): the loop then works on whole rows of memory.
    """
    return project_steps(cell, ops.swapaxes(x, 0, 1))


def project_steps(cell: Cell, x: Any) -> Any:
    """The same of inputs (time, batch, features)."""
    time, batch = ops.shape(x)[:2]
    # As a matrix: TensorFlow multiplies a tensor of three axes step by step, and so its gradient.
    p = cell.project(ops.reshape(x, (-1, x.shape[-1])))
    return ops.reshape(p, (time, batch, p.shape[-1]))
