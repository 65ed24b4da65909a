"""RNN against `keras.layers.RNN` of the same cell: outputs, states, masks, saving."""

import keras
import numpy as np
import pytest

from seqtasks.cells import make_cell
from seqtasks.core.config import EncoderConfig
from seqtasks.core.errors import ConfigError
from seqtasks.layers import RNN, Decoder, Encoder

X = np.random.default_rng(0).normal(size=(3, 5, 2)).astype("float32")
MASK = np.arange(5) < np.array([[5], [3], [1]])


@pytest.mark.parametrize("cell", ["lstm", "mgu"])
@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("state", [False, True])
def test_outputs_are_those_of_keras(cell, sequences, state):
    made = make_cell(cell, 4)
    ours = RNN(made, return_sequences=sequences, return_state=state)(X, mask=MASK)
    theirs = keras.layers.RNN(made, return_sequences=True, return_state=True, zero_output_for_mask=True)(X, mask=MASK)
    outputs, *states = map(np.asarray, theirs)
    wanted = [outputs if sequences else outputs[np.arange(3), MASK.sum(1) - 1]] + (states if state else [])
    found = ours if state else [ours]
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_a_functional_model_with_an_implicit_mask_is_saved_and_loaded(tmp_path):
    tokens = keras.Input((None,), dtype="int32")
    x = keras.layers.Embedding(9, 2, mask_zero=True)(tokens)
    x, *_ = RNN(make_cell("gru", 4), return_sequences=True, return_state=True)(x)
    model = keras.Model(
        tokens, keras.layers.GlobalAveragePooling1D()(RNN(make_cell("mgu", 3), return_sequences=True)(x))
    )
    padded, plain = np.array([[3, 5, 0, 0]]), np.array([[3, 5]])
    np.testing.assert_allclose(model(padded), model(plain), atol=1e-6)
    model.save(tmp_path / "model.keras")
    np.testing.assert_array_equal(keras.models.load_model(tmp_path / "model.keras")(padded), model(padded))


@pytest.mark.parametrize("name", ["go_backwards", "unroll", "zero_output_for_mask"])
def test_arguments_of_keras_that_do_not_exist_here_say_what_to_do(name):
    with pytest.raises(TypeError, match=rf"no argument {name}=True; allowed: return_sequences.*; (use|leave)"):
        RNN(make_cell("gru", 4), **{name: True})


def test_a_cell_of_keras_is_refused():
    with pytest.raises(TypeError, match=r"RNN received a LSTMCell; allowed: a cell of seqtasks\.cells"):
        RNN(keras.layers.LSTMCell(4))


def test_a_product_with_a_number_may_be_the_input():
    x = keras.Input((5, 2))
    model = keras.Model(x, RNN(make_cell("mgu", 4))(x * 2))
    np.testing.assert_allclose(model(X), model.layers[-1](2 * X), atol=1e-6)


def test_a_single_initial_state_needs_no_list():
    layer, state = RNN(make_cell("gru", 4)), np.ones((3, 4), "float32")
    np.testing.assert_array_equal(layer(X, initial_state=state), layer(X, initial_state=[state]))


def test_settings_of_an_encoder_are_a_config_or_keywords():
    settings = {"cell": "gru", "units": 4, "layers": 2, "dropout": 0.1}
    assert Encoder(**settings, name="e").config == Encoder(EncoderConfig(**settings)).config
    assert Decoder(**settings, attention="none").config == Decoder(settings, "none").config
    with pytest.raises(TypeError, match=r"both a config and keywords \(units\)"):
        Encoder(EncoderConfig(), units=4)
    with pytest.raises(ConfigError, match=r"encoder\.units is 0"):
        Encoder(units=0)
    with pytest.raises(ValueError, match="unit"):
        Encoder(unit=4)
