"""Eigenvalues of known matrices, and Jacobians against finite differences."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from seqtasks.cells import make_cell
from seqtasks.engines import LoopInputs
from seqtasks.engines.trace import trace
from seqtasks.views.activations import LayerStates
from seqtasks.views.spectrum import jacobians_of, recurrent_eigenvalues, step_jacobians


def test_eigenvalues_are_those_of_each_block() -> None:
    cell = make_cell("gru", 2)
    cell.build((None, 3))
    blocks = [np.diag([0.5, -0.25]), np.array([[0.0, 1.0], [-1.0, 0.0]]), np.eye(2)]
    cell.U.assign(np.concatenate(blocks, axis=1))
    values = recurrent_eigenvalues(cell)
    assert list(values) == ["U, block 1", "U, block 2", "U, block 3"]
    np.testing.assert_allclose(sorted(values["U, block 1"].real), [-0.25, 0.5])
    np.testing.assert_allclose(sorted(values["U, block 2"].imag), [-1, 1])


def test_cells_without_recurrent_matrices_have_none() -> None:
    cell = make_cell("ind_rnn", 3)
    cell.build((None, 2))
    assert recurrent_eigenvalues(cell) == {}


@pytest.mark.parametrize("name", ["lstm", "antisymmetric_rnn", "lru"])
def test_jacobians_are_those_of_finite_differences(name: str) -> None:
    keras.utils.set_random_seed(0)
    cell = make_cell(name, 3, dtype="float64")
    cell.build((None, 2))
    rng = np.random.default_rng(0)
    p = cell.project(keras.ops.convert_to_tensor(rng.normal(size=(1, 2))))
    states = [keras.ops.convert_to_tensor(rng.normal(size=(1, n))) for n in cell.state_size]
    joined, ends = np.concatenate(states, axis=1), np.cumsum(cell.state_size)[:-1]

    def after(shift: np.ndarray) -> np.ndarray:
        parts = np.split(joined + shift, ends, axis=1)
        return np.concatenate(cell.step(p, [keras.ops.convert_to_tensor(part) for part in parts])[1], axis=1)[0]

    columns = [(after(1e-6 * row) - after(-1e-6 * row)) / 2e-6 for row in np.eye(joined.shape[1])]
    np.testing.assert_allclose(step_jacobians(cell, p, states), [np.stack(columns, axis=1)], atol=1e-8)


def test_jacobians_of_a_layer_are_taken_at_valid_steps() -> None:
    cell = make_cell("ind_rnn", 1)
    cell.build((None, 1))
    cell.set_weights([np.ones((1, 1)), np.full(1, 0.5), np.zeros(1)])
    x = keras.ops.convert_to_tensor(np.array([[[1.0], [-9.0], [1.0]]], "float32"))  # the masked step has derivative 0
    mask = np.array([[True, False, True]])
    inputs = LoopInputs(x, cell.get_initial_state(1), mask)
    states = {"h": np.asarray(trace("loop", cell, inputs).states[0])}
    layer = LayerStates("layer 1", cell, states, {}, mask, inputs)
    assert jacobians_of(layer).tolist() == [[[0.5]], [[0.5]]]
