"""Engine `native`: LSTM, GRU and plain RNN layers in C on a CPU, under TensorFlow and JAX.

The kernel computes all matrix products of a layer, also those of the inputs before the loop and those
of the weight gradients after it: TensorFlow's products with a transposed operand reach half of its
speed. TensorFlow sees the kernel as custom operations, which XLA cannot compile and exported models
cannot contain; there another engine with the same weights runs. JAX calls it through XLA's FFI.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import keras
import numpy as np
from keras import ops

from seqtasks.engines.backend.masking import zeros_where_empty
from seqtasks.engines.engine import ZONEOUT, LoopInputs, Tensor
from seqtasks.engines.native import availability, library, numpy_bridge
from seqtasks.engines.native.arguments import Direction
from seqtasks.engines.native.availability import cannot_embed_in_graph as cannot_embed_in_graph
from seqtasks.engines.native.availability import under_xla as under_xla
from seqtasks.engines.native.keras_cells import KerasCell
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


def unsupported_reason(cell: Cell, recurrent_dropout: float = 0.0, zoneout: float = 0.0) -> str | None:
    """Returns why this engine cannot run a cell at these rates, or None if it can."""
    if (reason := availability.unavailable_reason()) is not None:
        return reason
    if cell.native_loop is None or not type(cell).has_own("native_loop"):
        return f"it has no loop for {type(cell).__name__}; it has {', '.join(KINDS)}"
    activation = getattr(cell, "activation", keras.activations.tanh)
    if activation is not keras.activations.tanh:
        return f"it computes the activation tanh, not {keras.activations.serialize(activation)}"
    if cell.compute_dtype != "float32":
        return f"it computes in float32, not in {cell.compute_dtype}"
    if recurrent_dropout:
        return "recurrent_dropout changes each recurrent product"
    if zoneout:
        return ZONEOUT
    return availability.not_built_reason()


def run(cell: Cell | KerasCell, inputs: LoopInputs) -> tuple[Tensor, list[Tensor]]:
    """Runs a built cell over time, see `Engine.run`."""
    (result,) = run_together([(cell, inputs)])
    return result


def run_together(calls: Sequence[tuple[Cell | KerasCell, LoopInputs]]) -> list[tuple[Tensor, list[Tensor]]]:
    """Runs one cell, or two at the same time on separate threads, over the same sequences.

    Args:
        calls: Built cells and their inputs, which differ only in `states` and `reverse`.

    Returns:
        Outputs and final states of each cell, as `run` returns them.
    """
    if keras.backend.backend() == "jax":
        from seqtasks.engines.native.jax_bridge import loop
    else:
        from seqtasks.engines.native.tensorflow_bridge import loop
    assert all(inputs.dropout_mask is None and inputs.zoneout is None for _, inputs in calls)
    directions = []
    for cell, inputs in calls:
        bias, b = biases(cell)
        directions.append(Direction(_kind(cell), inputs.reverse, cell.W, bias, cell.U, b, inputs.states))
    shared = calls[0][1]
    mask = None if shared.mask is None else ops.cast(shared.mask, "bool")
    tokens = None if shared.tokens is None else ops.cast(shared.tokens, "int32")
    results = []
    outputs = loop(directions, shared.x, mask, shared.return_sequences, tokens)
    for (cell, _), (out, *final) in zip(calls, outputs, strict=True):
        if not shared.return_sequences:
            out = zeros_where_empty(final[0], mask)
        results.append((out, final[: len(cell.states)]))
    return results


class NativeTrace(NamedTuple):
    """Outputs, states and gates of a pass over time; masked steps repeat the states before them."""

    outputs: np.ndarray  #: zero at masked steps, `(batch, time, units)`
    final: list[np.ndarray]  #: final states, each `(batch, units)`
    states: list[np.ndarray]  #: each state after every step, `(batch, time, units)`
    gates: dict[str, np.ndarray]  #: gates by name, zero at masked steps, `(batch, time, units)`


def trace(cell: Cell, inputs: LoopInputs) -> NativeTrace:
    """Runs a built cell over time and keeps all states and gates; on every backend, without gradients.

    The gates are those that the kernel saves for a backward pass, so they cost nothing.

    Args:
        cell: Built cell.
        inputs: As for `run`, with tensors that have values.
    """

    def array(tensor: Any, dtype: str = "float32") -> Any:
        return None if tensor is None else np.ascontiguousarray(ops.convert_to_numpy(tensor), dtype)

    bias, b = biases(cell)
    starts, mask = [array(state) for state in inputs.states], array(inputs.mask, "bool")
    loop = numpy_bridge.Loop(
        _kind(cell), inputs.reverse, array(inputs.x), array(cell.W), array(bias), array(cell.U), array(b), starts[0],
        starts[1] if len(starts) > 1 else None, mask, array(inputs.tokens, "int32"),
    )  # fmt: skip
    (run,) = numpy_bridge.forward(loop)
    states = [run.out, run.c.swapaxes(0, 1)][: len(starts)]
    saved = run.saved.reshape(*run.saved.shape[:2], -1, loop.sizes[-1]).swapaxes(0, 1)
    if mask is not None:
        states[0] = _held(run.out, mask, starts[0], inputs.reverse)
        saved[~mask] = 0  # the kernel does not write them
    gates = {name: saved[:, :, k] for name, k in library.SAVED_GATES[loop.kind].items()}
    return NativeTrace(run.out, [run.h_last, run.c_last][: len(starts)], states, gates)


def _held(outputs: np.ndarray, mask: np.ndarray, start: np.ndarray, reverse: bool) -> np.ndarray:
    """Replaces the zero outputs of masked steps by the state before them."""
    if reverse:
        return _held(outputs[:, ::-1], mask[:, ::-1], start, False)[:, ::-1]
    last = np.maximum.accumulate(np.where(mask, np.arange(mask.shape[1]), -1), axis=1)[..., None]
    return np.where(last < 0, start[:, None], np.take_along_axis(outputs, np.maximum(last, 0), axis=1))


def biases(cell: Cell | KerasCell) -> tuple[Any, Any]:
    """Returns the bias of the inputs, and further parameters of the loop.

    The latter are the bias of the recurrent product of a GRU, the peepholes of an LSTM, or None.
    """
    if cell.native_loop == "gru":
        return cell.b[0], cell.b[1]
    return cell.b, ops.reshape(cell.P, (-1,)) if cell.native_loop == "peephole_lstm" else None  # type: ignore[union-attr]


def _kind(cell: Cell | KerasCell) -> int:
    """Returns the number of the cell's loop in the kernel."""
    assert cell.native_loop is not None
    return KINDS[cell.native_loop]


def layer_of(cell: Cell, projected: bool) -> Layer:
    """Returns a cell's current weights for text generation.

    Args:
        cell: Built cell.
        projected: Whether the inputs are already projected; the input weights are then left out.
    """
    bias, b = biases(cell)
    w, bias, u = (ops.convert_to_numpy(weight) for weight in (cell.W, bias, cell.U))
    return Layer(_kind(cell), None if projected else w, bias, u, None if b is None else ops.convert_to_numpy(b))
