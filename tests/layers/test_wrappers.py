"""What goes around any cell: dropout of states and of inputs, graphs, half precision, saving."""

import logging
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqtasks.core.config import EncoderConfig
from seqtasks.core.errors import ConfigError
from seqtasks.layers.encoder import Encoder
from seqtasks.layers.recurrent import Recurrent

from ..by_hand import (
    CELLS,
    FEATURES,
    MASK,
    MATRICES,
    STEPS,
    UNITS,
    X,
    by_hand,
    differ,
    fixed_dropout,
    halves,
    make,
    same,
    start_of,
    values,
    weights_of,
)

cells = pytest.mark.parametrize("cell", CELLS)


@pytest.mark.parametrize(
    ("cell", "bias"),
    [
        ("gru", {"bias": [50, 0, 0]}),
        ("lstm", {"bias": [-50, 50, 0, 0]}),
        ("lstmp", {"bias": [-50, 50, 0, 0]}),
        ("rhn", {"bias_0": [0, -50], "bias_1": [0, -50]}),
        ("ugrnn", {"bias": [0, 50]}),
    ],
)
def test_recurrent_dropout_never_scales_the_carried_state(cell, bias):
    layer = make(cell, recurrent_dropout=0.9)
    for weight in layer.cell.weights:
        if weight.name in bias:
            row = np.repeat(np.array(bias[weight.name], "float64"), UNITS)
            weight.assign(np.stack([row, 0 * row]) if len(weight.shape) == 2 else row)
    start = start_of(layer)
    x = np.random.default_rng(2).normal(size=(4, 100, FEATURES))
    final = values(layer, x, initial_state=start, training=True)[-1]
    np.testing.assert_allclose(final, start[-1], rtol=1e-12)


@cells
def test_recurrent_dropout_is_on_the_state_where_it_meets_a_matrix(monkeypatch, cell):
    asked = fixed_dropout(monkeypatch)
    layer = make(cell, recurrent_dropout=0.5)
    weights, start = weights_of(layer), start_of(layer)
    got = values(layer, X, mask=MASK, initial_state=start, training=True)
    width = max(UNITS, *layer.cell.state_size)
    assert asked == [((4, width), 0.5)]
    of_rows = []
    for row in range(4):
        mask, scaled = halves((4, width))[row], dict(weights)
        for name in MATRICES[cell]:
            if name != "recurrent_projection":  # it meets no previous state
                rows = len(weights[name])
                scaled[name] = np.resize(mask[: min(rows, UNITS)], rows)[:, None] * weights[name]
        of_rows.append(scaled)
    same(got, by_hand(cell, of_rows, start))
    assert differ(got[0], by_hand(cell, weights, start)[0])
    same(values(layer, X, mask=MASK, initial_state=start), by_hand(cell, weights, start))


@cells
def test_without_recurrent_matrices_recurrent_dropout_changes_nothing(cell):
    layer = make(cell, recurrent_dropout=0.9)
    for weight in layer.cell.weights:
        if weight.name in MATRICES[cell] and weight.name != "recurrent_projection":
            weight.assign(0 * weight)
    start = start_of(layer)
    same(values(layer, X, initial_state=start, training=True), values(layer, X, initial_state=start), 0)


@pytest.mark.parametrize("what", ["weight_drop", "recurrent_dropout"])
@pytest.mark.parametrize(("cell", "name"), [("min_gru", "MinGRU"), ("t_gru", "TGRU"), ("echo_state", "EchoState")])
def test_cells_without_recurrent_weights_refuse(what, cell, name):
    if (what, cell) == ("recurrent_dropout", "echo_state"):
        make(cell, recurrent_dropout=0.5)  # its reservoir is fixed, but dropout on the state is possible
        return
    message = rf"{what} is 0.5, but {name} has no recurrent weights for it; allowed: 0; set {what}=0"
    with pytest.raises(ConfigError, match=message):
        make(cell, **{what: 0.5})
    with pytest.raises(ConfigError, match=rf"{what} is 0.5, but {name}"):
        Encoder(EncoderConfig(cell=cell, units=3, **{what: 0.5})).build((None, None, FEATURES))


@pytest.mark.parametrize("cell", ["gru", "rhn"])
@pytest.mark.parametrize("more", [{"weight_drop": 0.5}, {"zoneout": 0.5}, {"recurrent_dropout": 0.5}], ids=str)
def test_a_compiled_graph_draws_anew_each_time(cell, more):
    layer = make(cell, dtype="float32", **more)

    @tf.function(input_signature=[tf.TensorSpec((None, None, FEATURES)), tf.TensorSpec((None, None), tf.bool)])
    def train(x, mask):
        return layer(x, mask=mask, training=True)[0]

    x = X.astype("float32")
    first, second = train(x, MASK).numpy(), train(x, MASK).numpy()
    assert differ(first, second)
    assert train(x[:2, :3], MASK[:2, :3]).shape == (2, 3, UNITS)
    # What the graph used is not left behind in the cell.
    weights = {name: value.astype("float64") for name, value in weights_of(layer).items()}
    start = [np.zeros((4, UNITS))]
    zone = (lambda *_: 0.5) if "zoneout" in more else None
    same(values(layer, x, mask=MASK), by_hand(cell, weights, start, zone=zone), 1e-5)


@pytest.mark.parametrize("cell", ["gru", "lstm", "rhn"])
def test_all_of_them_together_in_half_precision(cell):
    layer = make(cell, dtype="mixed_float16", recurrent_dropout=0.1, weight_drop=0.1, zoneout=0.1)
    for training in (False, True):
        outputs, states = layer(X.astype("float16"), mask=MASK, training=training)
        assert {t.dtype.name for t in [outputs, *states]} == {"float16"}
        assert all(np.isfinite(t).all() for t in [outputs, *states])
    assert {str(w.dtype) for w in layer.trainable_weights} == {"float32"}


@pytest.mark.parametrize("cell", CELLS)
def test_the_config_brings_the_arguments_back(cell):
    given = {"recurrent_dropout": 0.1, "weight_drop": 0.2, "zoneout": 0.3, "direction": "backward", "engine": "loop"}
    layer = make(cell, **given)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert isinstance(again, Recurrent) and again is not layer
    assert {name: getattr(again, name) for name in given} == given
    assert again.get_config() == layer.get_config() == Recurrent.from_config(layer.get_config()).get_config()
    again.build((None, None, FEATURES))
    again.cell.set_weights(layer.cell.get_weights())
    same(values(again, X, mask=MASK), values(layer, X, mask=MASK), 0)


def test_an_encoder_hands_its_rates_to_every_layer():
    rates = {"recurrent_dropout": 0.1, "weight_drop": 0.2, "zoneout": 0.3}
    encoder = Encoder(EncoderConfig(cell="gru", units=3, layers=2, bidirectional=True, **rates))
    assert [{name: getattr(layer, name) for name in rates} for layer in encoder.recurrents] == [rates] * 4
    assert encoder.running_engine == "loop"


def passing(layers=1, **settings):
    """An encoder whose layers give back what they read."""
    options = {"activation": "linear", "kernel_initializer": "identity", "recurrent_initializer": "zeros"}
    config = EncoderConfig(cell="simple_rnn", units=16, layers=layers, options=options, **settings)
    encoder = Encoder(config)
    encoder.build((None, None, 16))
    return encoder


WIDE = (1 + np.random.default_rng(5).random(size=(6, STEPS, 16))).astype("float32")


def test_variational_dropout_is_one_mask_over_time():
    encoder = passing(variational_dropout=0.5)
    factors = []
    for _ in range(2):
        outputs = np.asarray(encoder(WIDE, training=True)[0])
        factors.append(outputs / WIDE)
        assert set(np.unique(factors[-1].round(4))) == {0, 2}
        same([factors[-1]], [np.repeat(factors[-1][:, :1], STEPS, axis=1)], 1e-5)
        assert differ(factors[-1][0], factors[-1][1]), "each row has its own"
        assert 0.2 < (factors[-1][:, 0] > 1).mean() < 0.8
    assert differ(*factors), "each call has its own"
    np.testing.assert_array_equal(encoder(WIDE)[0], WIDE)


def test_variational_dropout_falls_on_every_layer_and_both_directions_share_it():
    deep = np.asarray(passing(layers=2, variational_dropout=0.5)(WIDE, training=True)[0]) / WIDE
    assert set(np.unique(deep.round(4))) == {0, 4}, "two masks, of rate 0.5 each"
    assert 0.02 < (deep[:, 0] > 1).mean() < 0.5
    same([deep], [np.repeat(deep[:, :1], STEPS, axis=1)], 1e-5)
    both = np.asarray(passing(bidirectional=True, variational_dropout=0.5)(WIDE, training=True)[0])
    np.testing.assert_array_equal(both[..., :16], both[..., 16:])
    assert (both == 0).any()


def test_variational_dropout_leaves_a_skip_alone():
    outputs = np.asarray(passing(variational_dropout=0.5, skip="residual")(WIDE, training=True)[0]) / WIDE
    assert set(np.unique(outputs.round(4))) == {1, 3}  # the input itself, and 0 or 2 times it


@pytest.mark.parametrize("features", [4, 8], ids=["narrow", "wide"])
@pytest.mark.parametrize("settings", [{}, {"bidirectional": True, "merge": "sum"}, {"cell": "rhn", "weight_drop": 0.3}])
def test_an_encoder_of_highways_is_saved_without_a_warning(tmp_path, caplog, features, settings):
    config = EncoderConfig(
        **{"cell": "gru", "units": 8, "layers": 2, "skip": "highway", "layer_norm": True, **settings}
    )
    inputs, mask = keras.Input((None, features)), keras.Input((None,), dtype="bool")
    encoder = Encoder(config)
    model = keras.Model([inputs, mask], encoder(inputs, mask=mask)[0])
    rng = np.random.default_rng(6)
    encoder.set_weights([w + rng.normal(size=w.shape) if w.dtype == "float32" else w for w in encoder.get_weights()])
    x = rng.normal(size=(4, STEPS, features)).astype("float32")
    with warnings.catch_warnings(), caplog.at_level(logging.WARNING):
        warnings.simplefilter("error", UserWarning)
        model.save(tmp_path / "model.keras")
        again = keras.models.load_model(tmp_path / "model.keras")
        model.save_weights(tmp_path / "x.weights.h5")
        again.load_weights(tmp_path / "x.weights.h5")
    assert caplog.messages == []
    np.testing.assert_array_equal(again([x, MASK]), model([x, MASK]))
    copy = next(layer for layer in again.layers if isinstance(layer, Encoder))
    assert copy.config == config
    assert len(copy.weights) == len(encoder.weights)
