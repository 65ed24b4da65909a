"""Eigenvalues of the recurrent matrices of a cell, and of the Jacobian of its step."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.core.arrays import FloatArray
from seqtasks.engines.backend.gradients import input_gradient
from seqtasks.engines.trace import previous
from seqtasks.views.activations import LayerStates


def recurrent_eigenvalues(cell: Cell) -> dict[str, np.ndarray]:
    """Eigenvalues of the recurrent matrices.

    A matrix of several blocks, one for each gate, is cut into its square blocks.

    Args:
        cell: Built cell.

    Returns:
        Complex eigenvalues, `(units,)`, by the name of the matrix and the number of the block; none for cells
        without square recurrent matrices.

    Example:
        >>> from seqtasks.cells import AntisymmetricRNN, LSTM
        >>> cell = LSTM(4)
        >>> cell.build((None, 3))
        >>> {name: values.shape for name, values in recurrent_eigenvalues(cell).items()}
        {'U, block 1': (4,), 'U, block 2': (4,), 'U, block 3': (4,), 'U, block 4': (4,)}
    """
    values = {}
    for name, weight in cell.recurrent_weights().items():
        for matrix in weight if isinstance(weight, list) else [weight]:
            array = np.asarray(ops.convert_to_numpy(matrix), np.float64)
            rows, columns = array.shape
            if rows and columns % rows == 0:
                blocks = np.split(array, columns // rows, axis=1)
                for i, block in enumerate(blocks, start=1):
                    values[name if len(blocks) == 1 else f"{name}, block {i}"] = np.linalg.eigvals(block)
    return values


def step_jacobians(cell: Cell, p: Any, states: Sequence[Any]) -> FloatArray:
    """Jacobians of the states after a step with respect to those before it.

    Args:
        cell: Built cell.
        p: Projected inputs of some steps, `(steps, width)`.
        states: States before these steps, `(steps, size)` each.

    Returns:
        `(steps, sizes, sizes)`: row i of a matrix has the derivatives of state i.

    Example:
        >>> import numpy as np
        >>> from seqtasks.cells import IndRNN
        >>> cell = IndRNN(2)
        >>> cell.build((None, 1))
        >>> _ = cell.u.assign([0.5, 0.25])
        >>> step_jacobians(cell, np.ones((1, 2), "float32"), [np.ones((1, 2), "float32")]).tolist()
        [[[0.5, 0.0], [0.0, 0.25]]]
    """
    joined = ops.concatenate([ops.convert_to_tensor(state) for state in states], axis=-1)
    steps, total = joined.shape
    ends = np.cumsum([0, *(state.shape[-1] for state in states)]).tolist()

    # One row for each output, of which only that output is summed, so that one gradient has the whole Jacobian.
    def diagonal(rows: Any, p: Any) -> Any:
        after = ops.concatenate(cell.step(p, [rows[:, a:b] for a, b in pairwise(ends)])[1], axis=-1)
        return ops.sum(after * ops.tile(ops.eye(total, dtype=after.dtype), (steps, 1)))

    rows, repeated = ops.repeat(joined, total, axis=0), ops.repeat(ops.convert_to_tensor(p), total, axis=0)
    gradient = ops.convert_to_numpy(input_gradient(diagonal)(rows, repeated)[1])
    return np.asarray(gradient, np.float64).reshape(steps, total, total)


def jacobians_of(layer: LayerStates, count: int = 5) -> FloatArray:
    """Jacobians of the step of a layer at some of the steps that it ran.

    Args:
        layer: States of the layer.
        count: Number of steps, evenly spaced over the valid steps of all sequences.

    Returns:
        Matrices `(steps, sizes, sizes)`; no steps where the model has a loop of its own.
    """
    inputs, cell, places = layer.inputs, layer.cell, np.argwhere(layer.valid)
    total = sum(cell.state_size)
    if inputs is None or not len(places):
        return np.zeros((0, total, total))
    rows, steps = places[np.unique(np.linspace(0, len(places) - 1, count).astype(int))].T
    starts = zip(layer.states.values(), inputs.states, strict=True)
    before = [np.asarray(ops.convert_to_numpy(previous(*pair, inputs.reverse)))[rows, steps] for pair in starts]
    x = np.asarray(ops.convert_to_numpy(inputs.x))
    read = x[rows, steps] if inputs.tokens is None else x[np.asarray(ops.convert_to_numpy(inputs.tokens))[rows, steps]]
    p = read if inputs.projected else cell.project(ops.convert_to_tensor(read))
    return step_jacobians(cell, p, before)
