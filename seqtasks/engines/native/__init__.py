"""The engine in C for LSTM, GRU and plain RNN layers on a CPU, under TensorFlow and JAX.

The kernel makes all matrix products of a layer, those of the inputs before the loop and of the
gradients of weights after it, too: TensorFlow's with a transposed operand reach half of its
speed. TensorFlow has it as operations, which no compiler of it can look into: there XLA
and exported models take another engine with the same weights. XLA calls it for JAX.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras
from keras import ops

from seqtasks.engines.native import availability, library
from seqtasks.engines.native.arguments import Direction
from seqtasks.engines.native.availability import cannot_embed_in_graph as cannot_embed_in_graph
from seqtasks.engines.native.availability import under_xla as under_xla
from seqtasks.engines.native.text_generation import Layer

if TYPE_CHECKING:
    from seqtasks.cells.base import Cell

KINDS = {
    "lstm": library.LSTM,
    "gru": library.GRU,
    "simple_rnn": library.SIMPLE_RNN,
    "gru_v1": library.GRU_V1,
    "peephole_lstm": library.PEEPHOLE_LSTM,
    "coupled_lstm": library.COUPLED_LSTM,
}


def unsupported_reason(cell: Cell, recurrent_dropout: float = 0.0) -> str | None:
    """Why this engine cannot run a cell, or None if it can."""
    if (why := availability.unavailable_reason()) is not None:
        return why
    if not type(cell).has_own("native_loop"):
        return f"it has no loop for {type(cell).__name__}; it has {', '.join(KINDS)}"
    if cell.native_loop == "simple_rnn" and cell.activation is not keras.activations.tanh:
        return "of plain RNNs it has the one with tanh"
    if cell.compute_dtype != "float32":
        return f"it computes in float32, not in {cell.compute_dtype}"
    if recurrent_dropout:
        return "recurrent_dropout changes each product"
    if library.library() is None:
        return "it was not built, as there was no C compiler when seqtasks was installed"
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
    tokens: Any = None,
) -> tuple[Any, list[Any]]:
    """Runs a cell over time; arguments and results as in `loop.run`, `tokens` as in `run_all`."""
    assert dot_mask is None and zone is None
    ((out, final),) = run_all([(cell, states, reverse)], x, mask, sequences, tokens)
    return out, final


def run_all(
    calls: Sequence[tuple[Cell, Sequence[Any], bool]], x: Any, mask: Any, sequences: bool, tokens: Any = None
) -> list[tuple[Any, list[Any]]]:
    """Runs one cell, or two at once, over the same inputs.

    Args:
        calls: cells, their states before the first step, and whether they begin at the last one.
        x: (batch, time, features); with tokens a table, (vocabulary, features).
        mask: (batch, time), true at real steps; None: all are.
        sequences: return the outputs of all steps, else of the last real one.
        tokens: (batch, time), which row of the table each step reads.

    Returns:
        For each the outputs and final states, as `loop.run` gives them.
    """
    if keras.backend.backend() == "jax":
        from seqtasks.engines.native.jax_bridge import loop
    else:
        from seqtasks.engines.native.tensorflow_bridge import loop
    directions = []
    for cell, states, reverse in calls:
        bias, b = biases(cell)
        directions.append(Direction(KINDS[cell.native_loop], reverse, cell.W, bias, cell.U, b, states))
    real = None if mask is None else ops.cast(mask, "bool")
    numbers = None if tokens is None else ops.cast(tokens, "int32")
    results = []
    for (cell, _, _), (out, *final) in zip(calls, loop(directions, x, real, sequences, numbers), strict=True):
        if not sequences:
            out = final[0]
            if real is not None:
                out = ops.where(ops.any(real, axis=1, keepdims=True), out, ops.zeros_like(out))
        results.append((out, final[: len(cell.states)]))
    return results


def biases(cell: Cell) -> tuple[Any, Any]:
    """The bias of the inputs, and that of the recurrent product of a GRU, or the peepholes, or None."""
    if cell.native_loop == "gru":
        return cell.b[0], cell.b[1]
    return cell.b, ops.reshape(cell.P, (-1,)) if cell.native_loop == "peephole_lstm" else None


def layer_of(cell: Cell, projected: bool) -> Layer:
    """The weights of a cell as they are now; without those of the inputs, if these come projected."""
    bias, b = biases(cell)
    w, bias, u, b = (None if a is None else ops.convert_to_numpy(a) for a in (cell.W, bias, cell.U, b))
    return Layer(KINDS[cell.native_loop], None if projected else w, bias, u, b)
