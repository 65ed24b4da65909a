"""Cells of Keras's own layers in the form in which the native kernel runs cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from seqtasks.engines.native import availability


@dataclass(frozen=True)
class KerasCell:
    """Weights of a Keras cell under the names that cells of seqtasks have.

    Args:
        native_loop: Name of the loop in the kernel.
        states: Names of the states.
        W: Input weights, `(features, gates * units)`.
        U: Recurrent weights, `(units, gates * units)`.
        b: Biases, `(gates * units,)`, or `(2, gates * units)` of a GRU with the reset gate after the product.
    """

    native_loop: str
    states: tuple[str, ...]
    W: Any
    U: Any
    b: Any


def unsupported_reason(cell: Any) -> str | None:
    """Returns why the kernel cannot run a Keras cell, or None if it can.

    Args:
        cell: A cell of a Keras layer, such as `keras.layers.LSTMCell`.
    """
    if (reason := availability.unavailable_reason()) is not None:
        return reason
    if type(cell) not in (keras.layers.LSTMCell, keras.layers.GRUCell, keras.layers.SimpleRNNCell):
        return f"it has no loop for {type(cell).__name__}; it has those of LSTMCell, GRUCell and SimpleRNNCell"
    if cell.activation is not keras.activations.tanh:
        return f"it computes the activation tanh, not {_name(cell.activation)}"
    gates = getattr(cell, "recurrent_activation", keras.activations.sigmoid)
    if gates is not keras.activations.sigmoid:
        return f"it computes the recurrent activation sigmoid, not {_name(gates)}"
    if cell.compute_dtype != "float32":
        return f"it computes in float32, not in {cell.compute_dtype}"
    return availability.not_built_reason()


def training_reason(cell: Any) -> str | None:
    """Returns why the kernel cannot train a Keras cell that it can run, or None if it can."""
    if cell.recurrent_dropout:
        return "recurrent_dropout changes each recurrent product"
    if cell.dropout and getattr(cell, "implementation", 2) == 1:
        return "implementation=1 drops other inputs for each gate"
    return None


def as_native(cell: Any) -> KerasCell:
    """Returns the current weights of a built Keras cell that the kernel can run."""
    b = cell.bias
    states: tuple[str, ...] = ("h",)
    if isinstance(cell, keras.layers.LSTMCell):
        loop, states, gates = "lstm", ("h", "c"), 4
    elif isinstance(cell, keras.layers.GRUCell):
        loop, gates = "gru" if cell.reset_after else "gru_v1", 3
    else:
        loop, gates = "simple_rnn", 1
    if b is None:
        b = ops.zeros((2, gates * cell.units) if loop == "gru" else (gates * cell.units,), "float32")
    return KerasCell(loop, states, cell.kernel, cell.recurrent_kernel, b)


def _name(function: Any) -> str:
    return str(getattr(function, "__name__", function))
