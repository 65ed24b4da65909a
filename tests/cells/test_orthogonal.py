"""The recurrent matrix of expRNN is orthogonal and the exponential of its skew-symmetric weights."""

import keras
import numpy as np
import pytest
import scipy.linalg

from seqtasks.cells.exp_rnn import ExpRNN
from seqtasks.layers.recurrent import Recurrent


def made(units, scale, dtype="float64"):
    cell = ExpRNN(units, dtype=dtype)
    cell.build((None, 2))
    rng = np.random.default_rng(0)
    cell.A.assign(scale * rng.normal(size=cell.A.shape))
    return cell


def skew(cell):
    A = np.zeros((cell.units, cell.units))
    A[np.triu_indices(cell.units, 1)] = np.asarray(cell.A)
    return A - A.T


@pytest.mark.parametrize("units", [1, 2, 7])
def test_it_is_the_exponential(units):
    cell = made(units, 1.0)
    np.testing.assert_allclose(cell.orthogonal(), scipy.linalg.expm(skew(cell)), atol=1e-9)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 2e-6), ("float64", 1e-13)])
@pytest.mark.parametrize("scale", [0.1, 3.0, 30.0])
def test_it_is_orthogonal_whatever_the_weights(scale, dtype, tolerance):
    B = np.asarray(made(20, scale, dtype).orthogonal(), "float64")
    np.testing.assert_allclose(B.T @ B, np.eye(20), atol=tolerance)
    assert np.linalg.det(B) == pytest.approx(1, abs=1e-3)


def test_it_starts_as_rotations_of_pairs():
    cell = ExpRNN(5)
    cell.build((None, 2))
    B = np.asarray(cell.orthogonal())
    np.testing.assert_array_equal(B[4], np.eye(5)[4])
    np.testing.assert_array_equal(B[:2, 2:], 0)
    assert 0 < np.abs(B[0, 1]) < 1


def test_a_layer_computes_it_once_for_all_steps(monkeypatch):
    calls, honest = [], ExpRNN.orthogonal
    monkeypatch.setattr(ExpRNN, "orthogonal", lambda self: calls.append(1) or honest(self))
    layer = Recurrent(made(3, 1.0), dtype="float64")
    x = np.random.default_rng(0).normal(size=(2, 6, 2))
    outputs, _ = layer(x)
    assert len(calls) == 1
    np.testing.assert_allclose(outputs, keras.layers.RNN(layer.cell, return_sequences=True, dtype="float64")(x))
    assert len(calls) > 6
