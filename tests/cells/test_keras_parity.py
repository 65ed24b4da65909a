"""Weights go from Keras's layers to our cells and back, and the outputs stay the same."""

import keras
import numpy as np
import pytest

from seqtasks.cells.registration import make_cell
from seqtasks.engines import available
from seqtasks.layers.recurrent import Recurrent

UNITS, FEATURES = 5, 3
PAIRS = {
    "simple_rnn": (keras.layers.SimpleRNN, {}),
    "simple_rnn relu": (keras.layers.SimpleRNN, {"activation": "relu"}),
    "lstm": (keras.layers.LSTM, {}),
    "lstm leaky_relu": (keras.layers.LSTM, {"activation": "leaky_relu"}),
    "gru": (keras.layers.GRU, {}),
    "gru elu": (keras.layers.GRU, {"activation": "elu"}),
    "gru_v1": (keras.layers.GRU, {"reset_after": False}),
}
COUNTS = {  # kernels + recurrent kernels + biases
    "simple_rnn": UNITS * (FEATURES + UNITS + 1),
    "lstm": 4 * UNITS * (FEATURES + UNITS + 1),
    "gru": 3 * UNITS * (FEATURES + UNITS + 2),
    "gru_v1": 3 * UNITS * (FEATURES + UNITS + 1),
}


def ours(pair, engine="loop"):
    options = {} if pair == "gru_v1" else PAIRS[pair][1]  # the form is the name of our cell
    cell = make_cell(pair.split()[0], UNITS, options)
    layer = Recurrent(cell, engine=engine)
    layer.build((None, None, FEATURES))
    return layer


def batch():
    rng = np.random.default_rng(1)
    return rng.normal(size=(4, 7, FEATURES)).astype("float32"), np.arange(7)[None] < np.array([[7], [4], [1], [2]])


def random_weights(layer, seed):
    rng = np.random.default_rng(seed)
    layer.set_weights([rng.normal(scale=0.5, size=w.shape) for w in layer.get_weights()])


@pytest.mark.parametrize("engine", ["loop", "keras"])
@pytest.mark.parametrize("pair", PAIRS)
def test_weights_from_keras_and_back(pair, engine):
    cls, options = PAIRS[pair]
    x, mask = batch()
    theirs = cls(UNITS, return_sequences=True, return_state=True, zero_output_for_mask=True, **options)
    theirs(x)
    random_weights(theirs, 2)
    layer = ours(pair, engine)
    layer.cell.set_weights(theirs.get_weights())
    for given in (None, mask):
        expected = theirs(x, mask=given)
        outputs, states = layer(x, mask=given)
        for got, wanted in zip([outputs, *states], expected, strict=True):
            np.testing.assert_allclose(got, wanted, atol=1e-6)
    random_weights(layer.cell, 3)
    theirs.set_weights(layer.cell.get_weights())
    np.testing.assert_allclose(layer(x)[0], theirs(x)[0], atol=1e-6)


@pytest.mark.parametrize("pair", COUNTS)
def test_parameter_counts(pair):
    layer = ours(pair)
    assert layer.count_params() == COUNTS[pair] == sum(w.numpy().size for w in layer.cell.trainable_weights)


@pytest.mark.parametrize("pair", COUNTS)
def test_the_start_of_training_is_that_of_keras(pair):
    cls, options = PAIRS[pair]
    theirs, cell = cls(UNITS, **options), ours(pair).cell
    theirs.build((None, None, FEATURES))
    for mine, other in zip(cell.weights, theirs.weights, strict=True):
        assert tuple(mine.shape) == tuple(other.shape)
    np.testing.assert_array_equal(cell.b, theirs.cell.bias)  # zeros, but for the forget gate
    limit = np.sqrt(6 / (FEATURES + cell.W.shape[1]))
    assert 0.7 * limit < np.abs(cell.W).max() <= limit, "Glorot over the whole kernel"
    np.testing.assert_allclose(cell.U @ keras.ops.transpose(cell.U), np.eye(UNITS), atol=1e-5)


def test_only_the_forget_gate_starts_open():
    bias = ours("lstm").cell.b.numpy().reshape(4, UNITS)
    np.testing.assert_array_equal(bias, [[0] * UNITS, [1] * UNITS, [0] * UNITS, [0] * UNITS])
    cell = make_cell("lstm", UNITS, {"forget_bias": 2.5})
    cell.build((None, None, FEATURES))
    assert set(cell.b.numpy()[UNITS : 2 * UNITS]) == {2.5}


def test_the_engines_of_the_three_cells():
    assert all({"keras", "loop"} <= set(available(ours(pair).cell)) for pair in PAIRS)


def test_keras_runs_a_subclass_by_its_own_equations():
    class Slow(type(make_cell("lstm", 1))):
        def step(self, p, states):
            h, new = super().step(p, states)
            return h / 2, new

    layer = Recurrent(Slow(UNITS))
    assert layer.running_engine == "loop" and available(layer.cell) == ["loop"]
