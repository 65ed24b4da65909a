"""The engine of Keras's own layers, which brings cuDNN on a GPU.

The cell keeps its weights; the Keras layer borrows them for the call.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.cells.gru import GRU, GRUv1
from seqtasks.cells.lstm import LSTM
from seqtasks.cells.simple_rnn import SimpleRNN

_MAKE: dict[type[Cell], Callable[..., keras.layers.RNN]] = {
    SimpleRNN: lambda c, **k: keras.layers.SimpleRNN(c.units, activation=c.activation, **_without_cudnn(k)),
    LSTM: lambda c, **k: keras.layers.LSTM(c.units, **k),
    GRU: lambda c, **k: keras.layers.GRU(c.units, reset_after=True, **k),
    GRUv1: lambda c, **k: keras.layers.GRU(c.units, reset_after=False, **k),
}
_layers: weakref.WeakKeyDictionary[Cell, dict[Any, keras.layers.RNN]] = weakref.WeakKeyDictionary()


def refuses(cell: Cell, recurrent_dropout: float) -> str | None:
    """Why this engine cannot run a cell, or None if it can."""
    if type(cell) not in _MAKE:
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
) -> tuple[Any, list[Any]]:
    """Runs a cell over time; arguments and results as in `loop.run`."""
    assert dot_mask is None
    layer = _borrow(cell, reverse, sequences, masked=mask is not None)
    outputs, *final = layer.call(x, initial_state=list(states), mask=mask)
    if sequences:
        return ops.flip(outputs, axis=1) if reverse else outputs, final
    # Keras would give zeros for a row whose last step is masked; in these cells the
    # output of the last real step is the first state.
    last = final[0]
    if mask is not None:
        some = ops.any(ops.cast(mask, "bool"), axis=1, keepdims=True)
        last = ops.where(some, last, ops.zeros_like(last))
    return last, final


def _borrow(cell: Cell, reverse: bool, sequences: bool, masked: bool) -> keras.layers.RNN:
    made = _layers.setdefault(cell, {})
    key = (reverse, sequences, masked)
    if key not in made:
        layer = _MAKE[type(cell)](
            cell,
            dtype=cell.dtype_policy,
            return_sequences=sequences,
            return_state=True,
            go_backwards=reverse,
            zero_output_for_mask=True,
            # cuDNN takes right-padded rows of at least one step only; the loop takes all masks.
            use_cudnn=False if masked else "auto",
        )
        layer.cell.kernel, layer.cell.recurrent_kernel, layer.cell.bias = cell.W, cell.U, cell.b
        layer.cell.built = layer.built = True
        made[key] = layer
    return made[key]


def _without_cudnn(arguments: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in arguments.items() if k != "use_cudnn"}
