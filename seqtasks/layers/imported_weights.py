"""Weights of recurrent layers of PyTorch, TensorFlow 1 and TensorFlow Addons in the layout of Keras and seqtasks."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from seqtasks.core.errors import DataError

GATES = {4: [0, 1, 2, 3], 3: [1, 0, 2], 1: [0]}  # Keras's order of PyTorch's gates: i, f, g, o; r, z, n; one
_FIRST = "weight_ih_l0"
ADDONS = {  # classes of TensorFlow Addons with other equations
    "LayerNormLSTMCell": "it carries the normalised memory cell on, where layernorm_lstm normalises it for the output "
    "only, as its paper does",
    "LayerNormSimpleRNNCell": "no cell here normalises the sum of a simple RNN",
    "ESNCell": "its reservoir has a bias and no readout, other than that of echo_state",
}


def from_torch(state_dict: Mapping[str, Any], prefix: str | None = None) -> list[list[np.ndarray]]:
    """Converts the weights of a `torch.nn.LSTM`, `GRU` or `RNN` to those of Keras.

    The kind is read from the shapes. The layers read `(batch, time, features)`.

    PyTorch stores transposed matrices and two biases, which are added here except in a GRU, and orders the gates of the
    GRU as r, z, n, where Keras has z, r, h.

    Args:
        state_dict: Weights by name, as `module.state_dict()` returns them, or `torch.load` of a file: tensors of
            PyTorch or arrays. Other weights in it are ignored.
        prefix: Start of the names of the recurrent module, such as `"encoder.rnn."`; None: that of the only one.

    Returns:
        For each layer of the module a list of arrays for `set_weights` of `LSTM`, `GRU` or `SimpleRNN`: input weights,
        `(features, gates * units)`; recurrent weights, `(units, gates * units)`; bias, `(gates * units,)` or of a GRU
        `(2, 3 * units)`, zero if the module has none. Those of the backward direction follow, as `Bidirectional`
        takes them. The lists of all layers joined are the weights of an `Encoder` with `layers` and `bidirectional`.

    Raises:
        DataError: The names contain no recurrent module, or several; or the module has projections (`proj_size`).

    Example:
        >>> import numpy as np
        >>> from seqtasks.layers import GRU, from_torch
        >>> state = {"weight_ih_l0": np.ones((12, 3)), "weight_hh_l0": np.ones((12, 4))}  # GRU(3, 4, bias=False)
        >>> layer = GRU(4)
        >>> layer.build((None, None, 3))
        >>> layer.set_weights(from_torch(state)[0])
    """
    prefix = _only_prefix(state_dict) if prefix is None else prefix
    names = [name.removeprefix(prefix) for name in state_dict if name.startswith(prefix)]
    if _FIRST not in names:
        raise DataError(
            f"no {prefix}{_FIRST} among {_shortened(state_dict)}; allowed: the state_dict of a "
            "torch.nn.LSTM, GRU or RNN; pass the prefix of its names"
        )
    if f"{prefix}weight_hr_l0" in state_dict:
        raise DataError(
            f"{prefix}weight_hr_l0: the LSTM has projections (proj_size); allowed: modules without; use the cell lstmp "
            "and convert the weights by hand"
        )
    weights: list[list[np.ndarray]] = []
    while f"{prefix}weight_ih_l{len(weights)}" in state_dict:
        layer = f"_l{len(weights)}"
        directions = [layer, f"{layer}_reverse"] if f"{prefix}weight_ih{layer}_reverse" in state_dict else [layer]
        weights.append([array for end in directions for array in _direction(state_dict, prefix, end)])
    return weights


def from_basic_lstm(kernel: Any, bias: Any, forget_bias: float = 1.0) -> list[np.ndarray]:
    """Converts the weights of an LSTM cell of TensorFlow 1 to those of Keras.

    The cell is `BasicLSTMCell`, or `LSTMCell` without peepholes and projection. The layer reads
    `(batch, time, features)`.

    These cells have one matrix for input and state, and the gate order i, g, f, o; and they add `forget_bias` to the
    forget gate at every step, which here becomes part of the bias.

    Args:
        kernel: Variable `kernel`, `(features + units, 4 * units)`.
        bias: Variable `bias`, `(4 * units,)`.
        forget_bias: Argument of the cell with this name; 1 was the default.

    Returns:
        Input weights, recurrent weights and bias of `LSTM`, for `set_weights`.

    Raises:
        DataError: The arrays do not have these shapes.

    Example:
        >>> import numpy as np
        >>> from seqtasks.layers import from_basic_lstm
        >>> w, u, b = from_basic_lstm(np.ones((3 + 2, 8)), np.zeros(8))
        >>> w.shape, u.shape, b.tolist()
        ((3, 8), (2, 8), [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0])
    """
    kernel, bias = _array(kernel), _array(bias)
    units = bias.shape[-1] // 4
    if kernel.ndim != 2 or bias.shape != (4 * units,) or kernel.shape[1] != 4 * units or kernel.shape[0] <= units:
        raise DataError(
            f"kernel {kernel.shape} and bias {bias.shape}; allowed: (features + units, 4 * units) and (4 * units,); "
            "pass the variables of one cell"
        )
    bias = bias + forget_bias * np.repeat([0, 0, 1, 0], units)
    order = [0, 2, 1, 3]
    kernel, bias = (_reordered(array, order, axis=-1).astype("float32") for array in (kernel, bias))
    return [kernel[:-units], kernel[-units:], bias]


def from_tf_addons(cell: str, weights: Sequence[Any]) -> list[np.ndarray]:
    """Converts the weights of a cell of TensorFlow Addons to those of a cell of seqtasks.

    `PeepholeLSTMCell` has three vectors of peepholes after the weights of Keras's LSTM, here rows of one matrix; its
    cell here is `PeepholeLSTM`. `NASCell` has its recurrent weights first, and no bias by default; its cell here is
    `NASCell`. Both read `(batch, time, features)` in a layer.

    Args:
        cell: Name of the class in TensorFlow Addons.
        weights: Arrays as `get_weights()` of that cell returns them. `PeepholeLSTMCell`: `(features, 4 * units)`,
            `(units, 4 * units)`, `(4 * units,)` and three of `(units,)`. `NASCell`: `(units, 8 * units)`,
            `(features, 8 * units)` and, with `use_bias`, `(8 * units,)`.

    Returns:
        Arrays for `set_weights` of `Recurrent` with that cell.

    Raises:
        DataError: There is no cell here with the equations of that class, or the arrays do not have these shapes.

    Example:
        >>> import numpy as np
        >>> from seqtasks.cells import NASCell
        >>> from seqtasks.layers import Recurrent, from_tf_addons
        >>> layer = Recurrent(NASCell(4))
        >>> layer.build((None, None, 3))
        >>> layer.set_weights(from_tf_addons("NASCell", [np.ones((4, 32)), np.ones((3, 32))]))
    """
    arrays = [_array(value).astype("float32") for value in weights]
    if cell == "PeepholeLSTMCell":
        gates, vectors = 4, 6
    elif cell == "NASCell":
        gates, vectors = 8, 3
        if len(arrays) == 2:
            arrays.append(np.zeros(arrays[0].shape[-1:], "float32"))
        arrays = [*arrays[1::-1], *arrays[2:]]  # input weights first
    else:
        reason = ADDONS.get(cell, "there is no such cell in both packages")
        raise DataError(f"cell is {cell!r}: {reason}; allowed: PeepholeLSTMCell, NASCell; pass one of these")
    n = arrays[1].shape[0] if len(arrays) > 1 and arrays[1].ndim == 2 else 0
    shapes = [array.shape for array in arrays]
    allowed = [(shapes[0][0], gates * n), (n, gates * n), (gates * n,), *[(n,)] * (vectors - 3)] if n else []
    if shapes != allowed:
        raise DataError(
            f"weights of {cell} have the shapes {[np.shape(value) for value in weights]}; allowed: those that "
            "get_weights() of one cell without projection and with its bias returns; pass them unchanged"
        )
    w, u, b, *peepholes = arrays
    return [w, u, np.stack(peepholes), b] if peepholes else [w, u, b]


def _direction(state_dict: Mapping[str, Any], prefix: str, end: str) -> list[np.ndarray]:
    """Converts one direction of a layer, whose names end with `end`."""
    w, u = (_array(state_dict[f"{prefix}weight_{kind}{end}"]) for kind in ("ih", "hh"))
    gates = u.shape[0] // u.shape[1]
    if gates not in GATES or u.shape[0] != w.shape[0]:
        raise DataError(
            f"{prefix}weight_hh{end} has shape {u.shape}; allowed: (gates * units, units) with 4, 3 or 1 gates; pass "
            "the state_dict of a torch.nn.LSTM, GRU or RNN"
        )
    absent = np.zeros(len(u))
    biases = [_array(state_dict.get(f"{prefix}bias_{kind}{end}", absent)) for kind in ("ih", "hh")]
    w, u, *biases = (_reordered(array, GATES[gates]).astype("float32") for array in (w, u, *biases))
    return [w.T, u.T, np.stack(biases) if gates == 3 else biases[0] + biases[1]]


def _reordered(array: np.ndarray, order: list[int], axis: int = 0) -> np.ndarray:
    """Reorders equal parts of an array."""
    parts = np.split(array, len(order), axis=axis)
    return np.concatenate([parts[i] for i in order], axis=axis)


def _array(value: Any) -> np.ndarray:
    """Returns a tensor of PyTorch or TensorFlow, or an array, as an array."""
    return np.asarray(value.detach().cpu().float().numpy() if hasattr(value, "detach") else value)


def _only_prefix(state_dict: Mapping[str, Any]) -> str:
    """Returns the start of the names of the only recurrent module; empty if there is none."""
    prefixes = [name[: -len(_FIRST)] for name in state_dict if re.search(rf"(^|\.){_FIRST}$", name)]
    if len(prefixes) > 1:
        raise DataError(
            f"several recurrent modules: {', '.join(map(repr, prefixes))}; allowed: one; choose it by "
            f"prefix={prefixes[0]!r}"
        )
    return prefixes[0] if prefixes else ""


def _shortened(names: Mapping[str, Any]) -> str:
    listed = list(names)
    return ", ".join(listed[:4]) + (", …" if len(listed) > 4 else "") if listed else "no names"
