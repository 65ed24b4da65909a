"""Engine `keras`: Keras's own recurrent layers, with cuDNN on a GPU.

The cell keeps its weights; the Keras layer that its `keras_layer` makes borrows them for the call.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras
from keras import ops

if TYPE_CHECKING:
    from seqtasks.cells.base import Cell

_layers: weakref.WeakKeyDictionary[Cell, dict[Any, keras.layers.RNN]] = weakref.WeakKeyDictionary()


def unsupported_reason(cell: Cell, recurrent_dropout: float) -> str | None:
    """Why this engine cannot run a cell, or None if it can."""
    if not cell.has_own("keras_layer"):
        return f"Keras has no layer of the equations of {type(cell).__name__}"
    if recurrent_dropout:
        # Keras's GRU scales the carried state by the dropout mask (keras#20276), and its
        # masks are one a gate; ours is one for all.
        return "recurrent_dropout differs in Keras's layers"
    return None


def run(
    cell: Cell,
    x: Any,
    states: Sequence[Any],
    mask: Any = None,
    reverse: bool = False,
    sequences: bool = True,
    dot_mask: Any = None,
    zone: Any = None,
) -> tuple[Any, list[Any]]:
    """Runs a cell over time; arguments and results as in `loop.run`."""
    assert dot_mask is None and zone is None
    layer = _borrow(cell, reverse, sequences, masked=mask is not None)
    outputs, *final = layer.call(x, initial_state=list(states), mask=mask)
    if sequences:
        return ops.flip(outputs, axis=1) if reverse else outputs, final
    # Keras would give zeros for a row whose last step is masked; in these cells the
    # output of the last real step is the first state.
    last = final[0]
    if mask is not None:
        any_valid = ops.any(ops.cast(mask, "bool"), axis=1, keepdims=True)
        last = ops.where(any_valid, last, ops.zeros_like(last))
    return last, final


def prepare(cell: Cell, reverse: bool) -> None:
    """Makes the layers now: Keras gives each a random generator, a variable, and inside a graph it may be too late."""
    for sequences in (True, False):
        for masked in (True, False):
            _borrow(cell, reverse, sequences, masked)


def _borrow(cell: Cell, reverse: bool, sequences: bool, masked: bool) -> keras.layers.RNN:
    made = _layers.setdefault(cell, {})
    key = (reverse, sequences, masked)
    if key not in made:
        assert cell.keras_layer is not None
        layer = cell.keras_layer(
            dtype=cell.dtype_policy,
            return_sequences=sequences,
            return_state=True,
            go_backwards=reverse,
            zero_output_for_mask=True,
            # cuDNN takes right-padded rows of at least one step only (tensorflow#33148); the
            # loop takes all masks. Not serialised by Keras, so it is given at each making.
            use_cudnn=False if masked else "auto",
        )
        layer.cell.built = layer.built = True
        made[key] = layer
    # At each call, as the weights may be dropped ones now; past Keras, which would track them as its own.
    vars(made[key].cell).update(kernel=cell.W, recurrent_kernel=cell.U, bias=cell.b)
    return made[key]
