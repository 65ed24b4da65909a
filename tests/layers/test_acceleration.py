"""accelerate: layers are exchanged in place; outputs, weights and the optimizer stay."""

import keras
import numpy as np
import pytest

import seqtasks
from seqtasks import layers
from seqtasks.cells import MGU
from seqtasks.core.errors import DataError
from seqtasks.engines.native import library
from seqtasks.layers import acceleration
from tests.layers.test_drop_in import TARGETS, TOKENS, Reader, X, same

pytestmark = pytest.mark.skipif(library.library() is None, reason="the loop in C was not built")


class Own(keras.layers.LSTM):
    """A subclass."""


def model_of_all():
    """A compiled model with layers of Keras in wrappers and a nested model."""
    inner = keras.Sequential([keras.Input((6, 3)), keras.layers.SimpleRNN(3, return_sequences=True, name="inner")])
    x = keras.Input((6, 3))
    y = keras.layers.Bidirectional(keras.layers.LSTM(4, return_sequences=True, name="pair"))(x)
    y = keras.layers.Concatenate()([y, inner(x)])
    y = keras.layers.RNN([keras.layers.GRUCell(4), MGU(3)], return_sequences=True, name="stack")(y)
    y = keras.layers.GRU(4, recurrent_dropout=0.1, return_sequences=True, name="dropped")(y)
    y = Own(3, return_sequences=True, name="own")(y)
    y = keras.layers.LSTM(3, activation="relu", name="relu")(y)
    model = keras.Model(x, keras.layers.Dense(1)(y))
    model.compile(keras.optimizers.Adam(0.01), "mse", metrics=["mae"], run_eagerly=keras.backend.backend() != "torch")
    return model


def test_a_compiled_model_keeps_weights_outputs_and_optimizer(capsys):
    model = model_of_all()
    model.train_on_batch(X, TARGETS)
    before, weights = model.predict_on_batch(X), model.get_weights()
    moments = [np.array(variable) for variable in model.optimizer.variables]
    assert seqtasks.accelerate(model) is model
    same(model.predict_on_batch(X), before)
    same(model.get_weights(), weights)
    same([np.array(variable) for variable in model.optimizer.variables], moments)
    assert set(model.train_on_batch(X, TARGETS, return_dict=True)) == {"loss", "mae"}
    printed = sorted(capsys.readouterr().err.splitlines())
    assert printed == sorted(
        [
            "forward_pair (LSTM): now seqtasks.layers.LSTM",
            "backward_pair (LSTM): now seqtasks.layers.LSTM",
            "inner (SimpleRNN): now seqtasks.layers.SimpleRNN",
            "stack (RNN): now seqtasks.layers.RNN",
            "dropped (GRU): now seqtasks.layers.GRU: training runs as in Keras, as recurrent_dropout changes each "
            "recurrent product",
            "own (Own): left: seqtasks has no layer for Own",
            "relu (LSTM): left: engine native: it computes the activation tanh, not relu",
        ]
    )
    assert acceleration.exchange(model) != [] and not any(done.changed for done in acceleration.exchange(model))


def test_training_goes_on_as_without():
    """A step after the exchange equals a step of Keras's layers, with the function that was compiled before."""

    def of_keras():
        x = keras.Input((6, 3))
        model = keras.Model(x, keras.layers.Dense(1)(keras.layers.Bidirectional(keras.layers.GRU(4))(x)))
        model.compile("adam", "mse")
        return model

    ours, stock = of_keras(), of_keras()
    ours.set_weights(stock.get_weights())
    for step in range(3):
        for model in (ours, stock):
            model.train_on_batch(X, TARGETS)
        if step == 0:
            seqtasks.accelerate(ours, verbose=False)
    same(ours.predict_on_batch(X), stock.predict_on_batch(X), 1e-5)
    assert type(ours.layers[1].forward_layer) is layers.GRU


def test_a_subclassed_model(capsys):
    model = Reader(keras.layers)
    before = model(TOKENS)
    same(seqtasks.accelerate(model)(TOKENS), before)
    assert [type(reader) for reader in model.readers] == [layers.LSTM, layers.GRU]


def test_a_saved_model(tmp_path):
    model = model_of_all()
    model.get_layer("own").__class__ = keras.layers.LSTM
    model.save(tmp_path / "a.keras")
    fast = seqtasks.accelerate(tmp_path / "a.keras", verbose=False)
    same(fast.predict_on_batch(X), model.predict_on_batch(X))
    fast.save(tmp_path / "b.keras")
    loaded = keras.models.load_model(tmp_path / "b.keras")
    assert type(loaded.get_layer("dropped")) is layers.GRU
    same(loaded.predict_on_batch(X), model.predict_on_batch(X))


def test_what_is_refused(tmp_path, capsys):
    with pytest.raises(DataError, match=r"^no file .*none\.keras; allowed: a Keras model as .keras or .h5; check"):
        seqtasks.accelerate(tmp_path / "none.keras")
    (tmp_path / "text.keras").write_text("no model")
    with pytest.raises(DataError, match=r"text\.keras cannot be loaded: .*; allowed: a Keras model"):
        seqtasks.accelerate(str(tmp_path / "text.keras"))
    with pytest.raises(TypeError, match=r"^accelerate received a list; allowed: a keras\.Model or the path"):
        seqtasks.accelerate([])
    seqtasks.accelerate(keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)], name="flat"))
    assert capsys.readouterr().err == "flat has no recurrent layer of Keras\n"
