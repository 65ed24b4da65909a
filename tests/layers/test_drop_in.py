"""Layers in the place of Keras's: outputs, states, gradients, masks, wrappers and files are those of Keras."""

import itertools
import json

import keras
import numpy as np
import pytest

from seqtasks import layers
from seqtasks.core.errors import ConfigError
from seqtasks.engines.native import library

RNG = np.random.default_rng(0)
X = RNG.normal(size=(4, 6, 3)).astype("float32")
MASKS = {
    "none": None,
    "right": np.arange(6) < np.array([[6], [3], [1], [4]]),
    "left": np.arange(6) >= np.array([[0], [3], [5], [2]]),
    "holes": np.array([[1, 0, 1, 1, 0, 1], [0, 1, 0, 0, 1, 0], [0, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 0]], bool),
}
KINDS = {
    "lstm": ("LSTM", {}),
    "lstm without bias": ("LSTM", {"use_bias": False}),
    "gru": ("GRU", {}),
    "gru without bias": ("GRU", {"use_bias": False}),
    "gru v1": ("GRU", {"reset_after": False}),
    "simple": ("SimpleRNN", {}),
    "relu": ("SimpleRNN", {"activation": "relu"}),  # which the native engine does not run
}
needs_native = pytest.mark.skipif(
    library.library() is None or keras.backend.backend() == "torch",
    reason="the loop in C was not built, or runs not here",
)


def pair(kind, units=4, **arguments):
    """Keras's layer and ours, with the same weights."""
    name, options = KINDS[kind]
    stock, ours = (getattr(module, name)(units, **options, **arguments) for module in (keras.layers, layers))
    for layer in (stock, ours):
        layer.build(X.shape)
    weights = [RNG.normal(size=weight.shape) * 0.5 for weight in stock.get_weights()]
    stock.set_weights(weights)
    ours.set_weights(weights)
    return stock, ours


def same(ours, stock, atol=1e-6):
    ours, stock = (
        [np.asarray(keras.ops.convert_to_numpy(one)) for one in keras.tree.flatten(side)] for side in (ours, stock)
    )
    assert len(ours) == len(stock)
    for one, other in zip(ours, stock, strict=True):
        np.testing.assert_allclose(one, other, atol=atol)


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("kind", KINDS)
def test_outputs_and_states_are_those_of_keras(kind, mask):
    states = [RNG.normal(size=(4, 4)).astype("float32") for _ in range(2 if "lstm" in kind else 1)]
    for sequences, backwards, zero in itertools.product([False, True], repeat=3):
        arguments = {"return_sequences": sequences, "return_state": True, "go_backwards": backwards}
        stock, ours = pair(kind, zero_output_for_mask=zero and sequences, **arguments)
        assert ours.running_engine == ("keras" if kind == "relu" else "native")
        same(ours(X, mask=MASKS[mask]), stock(X, mask=MASKS[mask]))
        same(ours(X, mask=MASKS[mask], initial_state=states), stock(X, mask=MASKS[mask], initial_state=states))


def test_zeros_at_masked_steps_are_for_sequences_only():
    """As Keras documents it; its last output is zero if the last step is masked."""
    for engine in ("auto", "keras"):
        layer = layers.LSTM(4, zero_output_for_mask=True, engine=engine)
        same(layer(X, mask=MASKS["right"])[1:2], layer(X[1:2, :3]))


def model_of(layer, tokens=False, **arguments):
    inputs = keras.Input((None,), dtype="int32")
    x = keras.layers.Embedding(9, 3, mask_zero=True, embeddings_initializer=keras.initializers.RandomNormal(seed=1))(
        inputs
    )
    x = layer(x, **arguments)
    x = keras.layers.GlobalAveragePooling1D()(x) if len(x.shape) == 3 else x
    return keras.Model(inputs, keras.layers.Dense(1, kernel_initializer="ones")(x))


TOKENS = np.array([[3, 5, 1, 0, 0], [2, 2, 4, 8, 7], [0, 0, 0, 0, 0], [1, 0, 0, 0, 0]])
TARGETS = np.ones((4, 1), "float32")


def trained(layer, eager=True):
    """Predictions and weights of a model after a step of training."""
    model = model_of(layer)
    model.compile(keras.optimizers.SGD(0.5), "mse", run_eagerly=eager)
    model.train_on_batch(TOKENS, TARGETS)
    return [model.predict_on_batch(TOKENS), *model.get_weights()]


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("kind", ["lstm", "gru", "gru v1", "simple"])
def test_training_with_an_implicit_mask(kind, sequences, wrapped):
    wrap = keras.layers.Bidirectional if wrapped else lambda layer: layer
    stock, ours = pair(kind, return_sequences=sequences)
    stock, ours = wrap(stock), wrap(ours)
    for layer in (stock, ours):
        if not layer.built:
            layer.build(X.shape)
    ours.set_weights(stock.get_weights())
    same(trained(ours), trained(stock), 2e-6)


def test_a_compiled_model_of_all_layers_trains_as_with_keras():
    def stack(module):
        return keras.Sequential(
            [
                keras.layers.Embedding(9, 3, mask_zero=True),
                keras.layers.Bidirectional(module.LSTM(4, return_sequences=True, dropout=0.0)),
                module.GRU(3, return_sequences=True, go_backwards=True),
                module.SimpleRNN(2, return_sequences=True),
                module.RNN([keras.layers.LSTMCell(3), keras.layers.GRUCell(2)]),
                keras.layers.Dense(1),
            ]
        )

    models = [stack(layers), stack(keras.layers)]
    for model in models:
        model.build((None, None))
        model.compile(keras.optimizers.Adam(0.1), "mse")
    models[0].set_weights(models[1].get_weights())
    for _ in range(2):
        losses = [model.train_on_batch(TOKENS, TARGETS) for model in models]
        np.testing.assert_allclose(losses[0], losses[1], rtol=1e-4)
    same(models[0].predict_on_batch(TOKENS), models[1].predict_on_batch(TOKENS), 2e-5)
