"""Rows of the variables in which a stateful layer keeps its states between calls."""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator
from typing import Any

from keras import ops

KEPT = "kept_state"  # name of the variables that keep the states of a stateful layer between calls
_first: contextvars.ContextVar[Any] = contextvars.ContextVar("first row", default=0)


@contextlib.contextmanager
def starting_at(row: Any) -> Iterator[None]:
    """Context in which the rows of a call are those of the kept states from `row` on.

    A batch that is computed in several parts, see `split_training`, reads and writes the states of each part.

    Args:
        row: Number of the first row; an integer or a tensor.
    """
    token = _first.set(row)
    try:
        yield
    finally:
        _first.reset(token)


def read(variable: Any, batch: Any) -> Any:
    """Reads the kept states of a batch, `(batch, units)`.

    Args:
        variable: Kept states, `(max_batch, units)`.
        batch: Number of rows.
    """
    if not _is_known(batch):
        return ops.zeros((batch, variable.shape[1]), variable.dtype)
    return ops.slice(ops.convert_to_tensor(variable), (_first.get(), 0), (batch, variable.shape[1]))


def write(variable: Any, states: Any) -> None:
    """Writes the final states of a batch, `(batch, units)`, which `read` returns in the next call.

    Args:
        variable: Kept states, `(max_batch, units)`.
        states: Final states; gradients do not flow into them, on any backend.
    """
    if _is_known(ops.shape(states)[0]):
        states = ops.stop_gradient(ops.cast(states, variable.dtype))
        variable.assign(ops.slice_update(ops.convert_to_tensor(variable), (_first.get(), 0), states))


def _is_known(batch: Any) -> bool:
    """Whether the number of rows is a number or a tensor.

    While Keras infers shapes under JAX it is a symbol, which cannot be compared with the number of kept rows.
    """
    return not hasattr(batch, "scope")  # of jax.export's symbolic dimensions
