"""Imported weights: against PyTorch, and the equations of TensorFlow 1 in NumPy."""

import keras
import numpy as np
import pytest

from seqtasks import layers
from seqtasks.cells import NASCell, PeepholeLSTM
from seqtasks.core.errors import DataError
from seqtasks.layers import Encoder, Recurrent, from_basic_lstm, from_tf_addons, from_torch

X = np.random.default_rng(0).normal(size=(2, 5, 3)).astype("float32")
KINDS = {"LSTM": "LSTM", "GRU": "GRU", "RNN": "SimpleRNN"}


def expected(module):
    import torch

    with torch.no_grad():
        return module(torch.from_numpy(X))[0].numpy()


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_layers_of_pytorch(kind, bidirectional, bias):
    torch = pytest.importorskip("torch")
    module = getattr(torch.nn, kind)(3, 4, num_layers=2, batch_first=True, bidirectional=bidirectional, bias=bias)
    weights = from_torch(module.state_dict())
    x = X
    for of_layer in weights:
        layer = getattr(layers, KINDS[kind])(4, return_sequences=True)
        layer = keras.layers.Bidirectional(layer) if bidirectional else layer
        layer.build(x.shape)
        layer.set_weights(of_layer)
        x = np.asarray(keras.ops.convert_to_numpy(layer(x)))
    np.testing.assert_allclose(x, expected(module), atol=1e-6)
    cell = {"RNN": "simple_rnn"}.get(kind, kind.lower())
    encoder = Encoder(cell=cell, units=4, layers=2, bidirectional=bidirectional)
    encoder.build(X.shape)
    encoder.set_weights([array for of_layer in weights for array in of_layer])
    np.testing.assert_allclose(keras.ops.convert_to_numpy(encoder(X)[0]), expected(module), atol=1e-6)


def test_the_module_is_part_of_a_model():
    torch = pytest.importorskip("torch")
    model = torch.nn.ModuleDict({"rnn": torch.nn.GRU(3, 4), "head": torch.nn.Linear(4, 2)})
    one, other = from_torch(model.state_dict()), from_torch(model["rnn"].state_dict())
    assert all(np.array_equal(a, b) for a, b in zip(one[0], other[0], strict=True))
    model["above"] = torch.nn.LSTM(4, 5)
    with pytest.raises(DataError, match=r"several recurrent modules: 'rnn\.', 'above\.'; allowed: one; choose it by"):
        from_torch(model.state_dict())
    assert from_torch(model.state_dict(), "above.")[0][0].shape == (4, 20)


def test_what_is_refused():
    w = np.ones((8, 3))
    with pytest.raises(DataError, match=r"^no weight_ih_l0 among head\.weight; allowed: the state_dict of a torch"):
        from_torch({"head.weight": w})
    with pytest.raises(DataError, match="no names; allowed"):
        from_torch({})
    projected = {"weight_ih_l0": w, "weight_hh_l0": w[:, :1], "weight_hr_l0": w}
    with pytest.raises(DataError, match=r"has projections \(proj_size\); allowed: modules without; use"):
        from_torch(projected)
    with pytest.raises(DataError, match=r"has shape \(8, 3\); allowed: \(gates \* units, units\)"):
        from_torch({"weight_ih_l0": w, "weight_hh_l0": w})
    with pytest.raises(DataError, match=r"kernel \(8, 3\) and bias \(8,\); allowed"):
        from_basic_lstm(w, np.ones(8))
    with pytest.raises(DataError, match=r"'LayerNormLSTMCell': it carries the normalised memory.*; allowed: Peep"):
        from_tf_addons("LayerNormLSTMCell", [])
    with pytest.raises(DataError, match=r"weights of PeepholeLSTMCell have the shapes \[\(3, 8\), \(2, 8\)\]; allowed"):
        from_tf_addons("PeepholeLSTMCell", [np.ones((3, 8)), np.ones((2, 8))])


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


@pytest.mark.parametrize("forget_bias", [1.0, 0.0])
def test_the_lstm_of_tensorflow_1(forget_bias):
    """BasicLSTMCell: i, j, f, o = split([x, h] @ kernel + bias); c' = c σ(f + forget_bias) + σ(i) tanh(j)."""
    rng = np.random.default_rng(1)
    kernel, bias = rng.normal(size=(3 + 4, 16)), rng.normal(size=16)
    h = c = np.zeros((2, 4))

    for t in range(5):
        i, j, f, o = np.split(np.concatenate([X[:, t], h], 1) @ kernel + bias, 4, axis=1)
        c = c * sigmoid(f + forget_bias) + sigmoid(i) * np.tanh(j)
        h = np.tanh(c) * sigmoid(o)
    layer = layers.LSTM(4, return_state=True)
    layer.build(X.shape)
    layer.set_weights(from_basic_lstm(kernel, bias, forget_bias))
    for ours, theirs in zip(layer(X), (h, h, c), strict=True):
        np.testing.assert_allclose(keras.ops.convert_to_numpy(ours), theirs, atol=1e-6)


def test_the_peephole_lstm_of_tensorflow_addons():
    """Gates i and f see the memory cell before, o the new one; the gate order is Keras's: i, f, c, o."""
    rng = np.random.default_rng(2)
    w, u, b, p_i, p_f, p_o = (rng.normal(size=size) for size in [(3, 16), (4, 16), 16, 4, 4, 4])
    h = c = np.zeros((2, 4))
    for t in range(5):
        i, f, g, o = np.split(X[:, t] @ w + h @ u + b, 4, axis=1)
        c = sigmoid(f + p_f * c) * c + sigmoid(i + p_i * c) * np.tanh(g)
        h = sigmoid(o + p_o * c) * np.tanh(c)
    layer = Recurrent(PeepholeLSTM(4))
    layer.build(X.shape)
    layer.set_weights(from_tf_addons("PeepholeLSTMCell", [w, u, b, p_i, p_f, p_o]))
    for ours, theirs in zip(layer(X)[1], (h, c), strict=True):
        np.testing.assert_allclose(keras.ops.convert_to_numpy(ours), theirs, atol=1e-6)


@pytest.mark.parametrize("bias", [True, False])
def test_the_nas_cell_of_tensorflow_addons(bias):
    """Eight blocks of sums, of which the third is a product; the bias belongs to the recurrent part."""
    rng = np.random.default_rng(3)
    u, w, b = rng.normal(size=(4, 32)), rng.normal(size=(3, 32)), rng.normal(size=32) * bias
    h = c = np.zeros((2, 4))
    for t in range(5):
        m, x = np.split(h @ u + b, 8, axis=1), np.split(X[:, t] @ w, 8, axis=1)
        a = [x[k] * m[k] if k == 3 else x[k] + m[k] for k in range(8)]
        first = np.tanh(sigmoid(a[0]) * np.maximum(a[1], 0))
        c = np.tanh(first + c) * np.tanh(sigmoid(a[2]) + np.maximum(a[3], 0))
        h = np.tanh(c * np.tanh(np.tanh(np.tanh(a[4]) * sigmoid(a[5])) + sigmoid(np.tanh(a[6]) + sigmoid(a[7]))))
    layer = Recurrent(NASCell(4))
    layer.build(X.shape)
    layer.set_weights(from_tf_addons("NASCell", [u, w, b] if bias else [u, w]))
    for ours, theirs in zip(layer(X)[1], (h, c), strict=True):
        np.testing.assert_allclose(keras.ops.convert_to_numpy(ours), theirs, atol=1e-5)
