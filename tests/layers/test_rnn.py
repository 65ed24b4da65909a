"""RNN against `keras.layers.RNN` of the same cell: outputs, states, masks, saving."""

import keras
import numpy as np
import pytest

from seqtasks.cells import make_cell
from seqtasks.core.config import EncoderConfig
from seqtasks.core.errors import ConfigError
from seqtasks.layers import RNN, Decoder, Encoder, Recurrent

X = np.random.default_rng(0).normal(size=(3, 5, 2)).astype("float32")
MASK = np.arange(5) < np.array([[5], [3], [1]])


@pytest.mark.parametrize("cell", ["lstm", "mgu"])
@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("backwards", [False, True])
def test_outputs_are_those_of_keras(cell, sequences, backwards):
    made = make_cell(cell, 4)
    arguments = {"return_sequences": sequences, "return_state": True, "go_backwards": backwards}
    for zero in (False, True)[: 1 + sequences]:
        ours = RNN(made, zero_output_for_mask=zero, **arguments)(X, mask=MASK)
        theirs = keras.layers.RNN(made, zero_output_for_mask=zero, **arguments)(X, mask=MASK)
        assert len(ours) == len(theirs)
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-6)


CELLS = {
    "cells of Keras": lambda: [keras.layers.LSTMCell(3), keras.layers.GRUCell(2)],
    "one cell of Keras": lambda: keras.layers.GRUCell(2, reset_after=False),
    "cells of seqtasks": lambda: [make_cell("mgu", 3), make_cell("lstm", 2)],
    "both": lambda: [make_cell("mgu", 3), keras.layers.LSTMCell(2)],
    "one that only Keras runs": lambda: [keras.layers.LSTMCell(3, activation="relu"), make_cell("gru", 2)],
}


@pytest.mark.parametrize("cells", CELLS)
def test_stacks_and_cells_of_keras(cells):
    made = CELLS[cells]()
    arguments = {"return_sequences": True, "return_state": True, "go_backwards": True}
    ours, theirs = (layer(made, **arguments)(X, mask=MASK) for layer in (RNN, keras.layers.RNN))
    for one, other in zip(keras.tree.flatten(ours), keras.tree.flatten(theirs), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.parametrize("cells", ["cells of Keras", "both"])
def test_nested_states_are_reset(cells):
    """keras.layers.RNN raises AttributeError here."""
    layer = RNN(CELLS[cells](), stateful=True)
    first, second = np.asarray(layer(X)), np.asarray(layer(X))
    assert np.abs(first - second).max() > 1e-3
    layer.reset_state()
    np.testing.assert_allclose(layer(X), first, atol=1e-6)


def test_the_direction_backward_keeps_the_order_of_the_inputs():
    made = make_cell("gru", 4)
    reversed_, kept = RNN(made, True, go_backwards=True)(X), RNN(made, True, direction="backward")(X)
    np.testing.assert_array_equal(np.asarray(reversed_)[:, ::-1], kept)


def test_a_layer_saved_by_an_older_version_has_zeros_at_masked_steps():
    cell = make_cell("mgu", 4)
    config = Recurrent(cell, "backward").get_config() | {"return_sequences": True, "return_state": False}
    layer = RNN.from_config(config)
    layer.build(X.shape)
    cell.build(X.shape)
    layer.set_weights(cell.get_weights())
    np.testing.assert_allclose(layer(X, mask=MASK), Recurrent(cell, "backward")(X, mask=MASK)[0], atol=1e-6)


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


@pytest.mark.parametrize(
    ("cell", "arguments", "error", "message"),
    [
        ("gru", {"max_batch": 4}, TypeError, "no argument max_batch=4; allowed: those of keras.layers.RNN.*Recurrent"),
        ("gru", {"direction": "both"}, ConfigError, "direction is 'both'; allowed: forward, backward; choose"),
        ("gru", {"direction": "backward", "go_backwards": True}, ConfigError, "allowed: one of them; leave one out"),
        (None, {"zoneout": 0.1}, ConfigError, "zoneout is 0.1 with LSTMCell; allowed: cells of seqtasks"),
        (None, {"engine": "loop"}, ConfigError, "engine is 'loop'; allowed: auto, native, keras; choose"),
    ],
)
def test_what_is_refused(cell, arguments, error, message):
    with pytest.raises(error, match=message):
        RNN(make_cell(cell, 4) if cell else keras.layers.LSTMCell(4), **arguments)


def test_gaps_are_refused_for_cells_of_keras():
    with pytest.raises(ConfigError, match="time_gaps or observed with LSTMCell; allowed: one time-aware cell"):
        RNN(keras.layers.LSTMCell(4))(X, time_gaps=X[..., 0])


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
