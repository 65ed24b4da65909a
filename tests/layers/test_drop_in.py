"""Layers in the place of Keras's: outputs, states, gradients, masks, wrappers and files are those of Keras."""

import itertools

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


@pytest.mark.a_third
@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("kind", KINDS)
def test_outputs_and_states_are_those_of_keras(kind, mask):
    states = [RNG.normal(size=(4, 4)).astype("float32") for _ in range(2 if "lstm" in kind else 1)]
    if keras.backend.backend() == "jax" and mask != "none":
        states = [0 * state for state in states]  # Keras on JAX outputs the initial state before the first valid step
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


def trained(layer):
    """Predictions and weights of a model after a step of training."""
    model = model_of(layer)
    model.compile(keras.optimizers.SGD(0.5), "mse", run_eagerly=True)
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


@pytest.mark.slow
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


@pytest.mark.parametrize("kind", ["lstm", "gru", "simple"])
def test_dropout_is_that_of_keras(kind):
    """The same seed draws the same masks; with recurrent_dropout or a mask for each gate, Keras's loop runs."""
    for arguments in ({"dropout": 0.5}, {"dropout": 0.5, "recurrent_dropout": 0.5}):
        stock, ours = pair(kind, seed=3, return_sequences=True, **arguments)
        assert ours.running_engine == "native"
        same(ours(X, training=True), stock(X, training=True))
        same(ours(X), stock(X))


def test_dropout_with_a_mask_for_each_gate():
    """Keras's LSTM raises an error for this."""
    layer = layers.LSTM(64, dropout=0.5, implementation=1, seed=0)
    outputs = [np.asarray(keras.ops.convert_to_numpy(layer(X, training=training))) for training in (True, True, False)]
    assert all(np.isfinite(one).all() for one in outputs)
    assert not np.allclose(outputs[0], outputs[1]) and not np.allclose(outputs[0], outputs[2])


def test_time_distributed_and_nested_masks():
    clips = RNG.normal(size=(2, 3, 6, 3)).astype("float32")
    stock, ours = pair("gru", return_sequences=True)
    same(keras.layers.TimeDistributed(ours)(clips), keras.layers.TimeDistributed(stock)(clips))
    of_any_length = keras.Input((None, 6, 3))
    models = [keras.Model(of_any_length, keras.layers.TimeDistributed(layer)(of_any_length)) for layer in (ours, stock)]
    same(*[model.predict_on_batch(clips) for model in models])


class Reader(keras.Model):
    """A subclassed model."""

    def __init__(self, module, **kwargs):
        super().__init__(**kwargs)
        self.embed = keras.layers.Embedding(9, 3, mask_zero=True)
        self.readers = [module.LSTM(4, return_sequences=True), module.GRU(4)]

    def call(self, tokens):
        x = self.embed(tokens)
        for reader in self.readers:
            x = reader(x)
        return x


def test_a_subclassed_model():
    ours, stock = Reader(layers), Reader(keras.layers)
    for model in (ours, stock):
        model(TOKENS)
    ours.set_weights(stock.get_weights())
    same(ours(TOKENS), stock(TOKENS))


def test_a_model_is_cloned_saved_and_loaded(tmp_path):
    layer = layers.LSTM(
        4, return_sequences=True, use_cudnn=False, implementation=1, engine="keras", kernel_regularizer="l2"
    )
    model = model_of(keras.layers.Bidirectional(layer, merge_mode="sum"))
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for other in (clone, loaded):
        same(other(TOKENS), model(TOKENS))
        forward = next(one for one in other.layers if isinstance(one, keras.layers.Bidirectional)).forward_layer
        assert type(forward) is layers.LSTM and forward.engine == "keras"
        # Keras does not save these two.
        assert forward.use_cudnn is False and forward.cell.implementation == 1


def test_weights_of_keras_load_into_our_layers(tmp_path):
    model_of(keras.layers.LSTM(4, name="reader")).save_weights(tmp_path / "a.weights.h5")
    stock, ours = (model_of(module.LSTM(4, name="reader")) for module in (keras.layers, layers))
    for model in (stock, ours):
        model.load_weights(tmp_path / "a.weights.h5")
    same(ours(TOKENS), stock(TOKENS))


def test_mixed_precision_runs_as_in_keras():
    stock, ours = pair("lstm", dtype="mixed_bfloat16")
    assert ours.running_engine == "keras"
    assert keras.backend.standardize_dtype(ours(X).dtype) == "bfloat16"
    same(keras.ops.cast(ours(X), "float32"), keras.ops.cast(stock(X), "float32"))


def test_states_are_kept_and_reset():
    stock, ours = pair("lstm", stateful=True)
    for layer in (stock, ours, stock, ours):
        layer(X)
    same(ours.states, stock.states)
    first = layers.LSTM(4)
    first.build(X.shape)
    first.set_weights(ours.get_weights())
    ours.reset_state()
    same(ours(X), first(X))


@pytest.mark.parametrize("merge_mode", ["concat", None])
@pytest.mark.parametrize("sequences", [False, True])
def test_a_stateful_bidirectional_layer_takes_a_mask(sequences, merge_mode):
    """Keras's wrapper raises TypeError."""
    inner = layers.GRU(4, stateful=True, return_state=True, return_sequences=sequences)
    layer = layers.Bidirectional(inner, merge_mode=merge_mode)
    plain = keras.layers.Bidirectional(
        keras.layers.GRU(4, return_state=True, return_sequences=sequences), merge_mode=merge_mode
    )
    plain.build(X.shape)
    layer.build(X.shape)
    layer.set_weights(plain.get_weights())
    expected = plain(X, mask=MASKS["right"])
    same(layer(X, mask=MASKS["right"]), expected)
    again = layer(X, mask=MASKS["right"])
    assert np.abs(np.asarray(again[-1]) - np.asarray(expected[-1])).max() > 1e-3
    layer.reset_state()
    same(layer(X, mask=MASKS["right"]), expected)


def test_a_product_with_a_number_may_be_the_input():
    x = keras.Input((6, 3))
    layer = layers.GRU(4)
    same(keras.Model(x, layer(x * 2))(X), layer(2 * X))


def test_masks_that_are_not_read_are_named():
    inputs = keras.Input((None,), dtype="int32")
    x = keras.layers.Embedding(9, 3, mask_zero=True)(inputs)
    with pytest.warns(UserWarning, match="the implicit mask was lost at 'multiply"):
        layers.GRU(4)(x * 2)
    with pytest.warns(UserWarning, match="receives an initial state, and Keras then ignores the implicit mask"):
        layers.GRU(4)(x, initial_state=keras.ops.zeros((4, 4)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"engine": "loop"}, "engine is 'loop'; allowed: auto, native, keras; choose one"),
        (
            {"engine": "native", "activation": "relu"},
            "cannot run this layer: it computes the activation tanh, not relu;",
        ),
        (
            {"engine": "native", "recurrent_activation": "hard_sigmoid"},
            "recurrent activation sigmoid, not hard_sigmoid;",
        ),
        ({"engine": "native", "dtype": "float64"}, "it computes in float32, not in float64;"),
    ],
)
def test_what_is_refused(arguments, message):
    with pytest.raises(ConfigError, match=message):
        layers.LSTM(4, **arguments)


def test_states_and_masks_of_a_wrong_shape_raise():
    layer = layers.LSTM(4)
    for wrong in ({"initial_state": [np.zeros((4, 5), "float32")] * 2}, {"mask": np.ones((4, 9), bool)}):
        with pytest.raises(Exception, match=r"."):
            layer(X, **wrong)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="XLA and SavedModel of TensorFlow")
def test_xla_and_an_export_run_the_loop_of_keras(tmp_path):
    import tensorflow as tf

    layer = layers.LSTM(4)
    expected = layer(X)
    same(tf.function(layer, jit_compile=True)(tf.constant(X)), expected)
    model = keras.Sequential([keras.Input((6, 3)), layer])
    model.export(tmp_path / "exported", verbose=False)
    loaded = tf.saved_model.load(str(tmp_path / "exported"))  # referred to, as it owns the variables
    same(loaded.serve(X), expected)
