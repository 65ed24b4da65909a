"""Engine `keras`: Keras's own recurrent layers, with cuDNN on a GPU.

The cell keeps its weights; the Keras layer that its `keras_layer` creates uses them during a call.
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
    """Returns why this engine cannot run a cell at these rates, or None if it can."""
    if not cell.has_own("keras_layer"):
        return f"Keras has no layer with the equations of {type(cell).__name__}"
    if recurrent_dropout:
        # Keras's GRU also scales the carried state by the dropout mask (keras#20276), and Keras draws one mask for
        # each gate; `Recurrent` draws one for all gates.
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
    # Keras returns zeros for a row whose last step is masked. In these cells the first state is the output of the
    # last valid step.
    return zeros_where_empty(final[0], mask), final


def prepare(cell: Cell, reverse: bool) -> None:
    """Creates the Keras layers of a cell before they are called.

    Each has a random generator, which is a variable, and inside of a graph none can be created.
    """
    for sequences in (True, False):
        for masked in (True, False):
            _borrow(cell, reverse, sequences, masked)


def _borrow(cell: Cell, reverse: bool, sequences: bool, masked: bool) -> keras.layers.RNN:
    """Returns the Keras layer of a cell, with the cell's current weights."""
    layers = _layers.setdefault(cell, {})
    key = (reverse, sequences, masked)
    if key not in layers:
        assert cell.keras_layer is not None
        layer = cell.keras_layer(
            dtype=cell.dtype_policy,
            return_sequences=sequences,
            return_state=True,
            go_backwards=reverse,
            zero_output_for_mask=True,
            # cuDNN supports only right-padded rows of at least one step (tensorflow#33148); the loop supports all
            # masks. Keras does not serialise this argument.
            use_cudnn=False if masked else "auto",
        )
        layer.cell.built = layer.built = True
        layers[key] = layer
    # Set at each call, because weight dropout replaces the weights; set in `vars`, because Keras would otherwise track
    # them as weights of the layer.
    vars(layers[key].cell).update(kernel=cell.W, recurrent_kernel=cell.U, bias=cell.b)
    return layers[key]
