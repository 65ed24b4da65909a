"""Engine `keras`: Keras's own recurrent layers, with cuDNN on a GPU.

The cell keeps its weights; the Keras layer that its `keras_layer` makes borrows them for the call.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import keras
from keras import ops

from seqtasks.engines.backend.masking import zeros_where_empty
from seqtasks.engines.engine import ZONEOUT, LoopInputs, Tensor

if TYPE_CHECKING:
    from seqtasks.cells.base import Cell

_layers: weakref.WeakKeyDictionary[Cell, dict[Any, keras.layers.RNN]] = weakref.WeakKeyDictionary()


def unsupported_reason(cell: Cell, recurrent_dropout: float = 0.0, zoneout: float = 0.0) -> str | None:
    """Why this engine cannot run a cell at these rates, or None if it can."""
    if not cell.has_own("keras_layer"):
        return f"Keras has no layer of the equations of {type(cell).__name__}"
    if recurrent_dropout:
        # Keras's GRU scales the carried state by the dropout mask (keras#20276), and its
        # masks are one a gate; ours is one for all.
        return "recurrent_dropout differs in Keras's layers"
    if zoneout:
        return ZONEOUT
    return None


def run(cell: Cell, inputs: LoopInputs) -> tuple[Tensor, list[Tensor]]:
    """Runs a built cell over time, see `Engine.run`."""
    assert inputs.dropout_mask is None and inputs.zoneout is None
    mask = inputs.mask
    layer = _borrow(cell, inputs.reverse, inputs.return_sequences, masked=mask is not None)
    outputs, *final = layer.call(inputs.x, initial_state=list(inputs.states), mask=mask)
    if inputs.return_sequences:
        return ops.flip(outputs, axis=1) if inputs.reverse else outputs, final
    # Keras returns zeros for a row whose last step is masked. In these cells the output
    # of the last valid step is the first state.
    return zeros_where_empty(final[0], mask), final


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
