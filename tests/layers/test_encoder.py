"""Stacks of recurrent layers: order, merging, residuals, normalisation, dropout, states in and out."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqtasks import engines
from seqtasks.cells.registration import make_cell
from seqtasks.core.config import EncoderConfig
from seqtasks.core.errors import ConfigError
from seqtasks.layers.encoder import Encoder
from seqtasks.layers.recurrent import Recurrent

X = np.random.default_rng(0).normal(size=(4, 6, 4)).astype("float32")
LENGTHS = np.array([6, 4, 1, 0])
MASK = np.arange(6)[None] < LENGTHS[:, None]


def make(stateful=False, dtype=None, **settings):
    config = EncoderConfig(**{"cell": "gru", "units": 4, **settings})
    encoder = Encoder(config, stateful=stateful, max_batch=8, dtype=dtype)
    encoder.build((None, None, 4))
    rng = np.random.default_rng(1)
    for norm in encoder.norms:
        norm.set_weights([1 + rng.normal(size=w.shape) for w in norm.weights])
    return encoder


def values(encoder, *args, **more):
    outputs, states = encoder(*args, **more)
    return np.asarray(outputs), [[np.asarray(s) for s in one] for one in states]


def same(got, wanted, tolerance=1e-6):
    keras.tree.map_structure(lambda a, b: np.testing.assert_allclose(a, b, atol=tolerance), got, wanted)


def norm(x, layer):
    """Layer normalisation in NumPy."""
    gamma, beta = (np.asarray(w) for w in layer.weights)
    mean, var = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) / np.sqrt(var + layer.epsilon) * gamma + beta


def by_hand(encoder, mask):
    """The stack composed of its recurrent layers and NumPy."""
    config, x, finals = encoder.config, X, []
    for i, layer in enumerate(encoder.layers):
        runs = [recurrent(x, mask=mask) for recurrent in layer]
        outputs = [np.asarray(output) for output, _ in runs]
        finals += [[np.asarray(s) for s in states] for _, states in runs]
        merged = outputs[0]
        if len(outputs) == 2:
            total = outputs[0] + outputs[1]
            merges = {"concat": np.concatenate(outputs, -1), "sum": total, "mean": total / 2}
            merged = (merges | {"mul": outputs[0] * outputs[1]})[config.merge]
        if config.skip == "residual" and merged.shape == x.shape:
            merged = merged + x
        if config.layer_norm:
            merged = norm(merged, encoder.norms[i])
        merged = merged * mask[..., None]
        dense = config.skip == "dense" and i + 1 < config.layers
        x = np.concatenate([x, merged], -1) if dense else merged
    return x, finals


@pytest.mark.a_third
@pytest.mark.parametrize("engine", engines.available(make_cell("lstm", 4)))
@pytest.mark.parametrize(
    "settings",
    [
        {"layers": 3},
        {"cell": "lstm", "layers": 2, "bidirectional": True},
        {"layers": 2, "bidirectional": True, "merge": "sum"},
        {"layers": 2, "bidirectional": True, "merge": "mean", "skip": "residual"},
        {"layers": 2, "skip": "residual"},
        {"layers": 2, "skip": "residual", "layer_norm": True},
        {"layers": 3, "bidirectional": True, "skip": "residual", "layer_norm": True},
        {"cell": "lstm+gru+simple_rnn", "units": [6, 3, 5], "bidirectional": True, "merge": "mul", "layer_norm": True},
        {"cell": "lstm", "units": [6, 3], "bidirectional": True, "merge": "ave"},
        {"cell": "gru", "units": [2, 5], "skip": "dense"},
    ],
    ids=lambda settings: "-".join(f"{k}={v}" for k, v in settings.items()),
)
def test_a_stack_equals_its_layers_one_by_one(settings, engine):
    encoder = make(engine=engine, **settings)
    same(values(encoder, X, mask=MASK), by_hand(encoder, MASK), 1e-5)


@pytest.mark.a_third
@pytest.mark.parametrize("engine", ["auto", "loop"])
def test_without_merge_each_direction_is_a_stack_of_its_own(engine):
    encoder = make(cell="lstm+gru", units=[6, 3], bidirectional=True, merge="none", engine=engine)
    outputs, states = values(encoder, X, mask=MASK)
    for k in (0, 1):
        x = X
        for i, layer in enumerate(encoder.layers):
            x, final = layer[k](x, mask=MASK)
            same(states[2 * i + k], [np.asarray(state) for state in final])
        same(outputs[..., 3 * k : 3 * k + 3], np.asarray(x))


def test_each_layer_has_its_own_dropout():
    encoder = make(units=64, layers=2, dropout=[0.0, 0.5])
    below = np.asarray(encoder.recurrents[1](encoder.recurrents[0](X)[0])[0])
    outputs, _ = values(encoder, X, training=True)
    dropped = outputs == 0
    assert 0.4 < dropped.mean() < 0.6
    np.testing.assert_allclose(outputs[~dropped], 2 * below[~dropped], atol=1e-5)


def test_a_stack_of_several_cells_reads_chunks_and_is_saved(tmp_path):
    settings = {"cell": "lstm+gru", "units": [6, 3], "options": {"forget_bias": 2.0, "activation": "elu"}}
    encoder = make(stateful=True, **settings)
    whole, _ = values(make_same(encoder, settings), X)
    parts = [values(encoder, X[:, start : start + 2])[0] for start in (0, 2, 4)]
    np.testing.assert_allclose(np.concatenate(parts, 1), whole, atol=1e-5)
    forget = np.asarray(encoder.recurrents[0].cell.b)[6:12]
    np.testing.assert_array_equal(forget, 2)
    inputs = keras.Input((None, 4))
    model = keras.Model(inputs, make_same(encoder, settings)(inputs)[0])
    model.save(tmp_path / "stack.keras")
    np.testing.assert_allclose(keras.models.load_model(tmp_path / "stack.keras")(X), whole, atol=1e-5)


def make_same(encoder, settings):
    other = make(**settings)
    other.set_weights(encoder.get_weights())
    return other


def test_time_gaps_reach_the_layers_that_use_them():
    gaps = np.random.default_rng(2).uniform(0.5, 2, X.shape[:2]).astype("float32")
    encoder = make(cell="cfc+gru", units=[5, 3])
    first, second = encoder.recurrents
    expected = second(first(X, time_gaps=gaps)[0])[0]
    np.testing.assert_allclose(values(encoder, X, time_gaps=gaps)[0], expected, atol=1e-6)
    assert np.abs(values(encoder, X)[0] - expected).max() > 1e-4


@pytest.mark.parametrize("skip", ["none", "residual", "highway", "dense"])
@pytest.mark.parametrize("layer_norm", [False, True])
def test_masked_steps_stay_zero(skip, layer_norm):
    outputs, _ = values(make(layers=2, skip=skip, layer_norm=layer_norm), X, mask=MASK)
    np.testing.assert_array_equal(outputs[~MASK], 0)
    assert np.abs(outputs[MASK]).min() > 0


@pytest.mark.parametrize(
    "settings", [{"layer_norm": True}, {"skip": "residual", "bidirectional": True, "merge": "sum"}]
)
def test_padding_changes_nothing(settings):
    encoder = make(layers=2, **settings)
    outputs, states = values(encoder, X, mask=MASK)
    for row, length in enumerate(LENGTHS[:3]):
        alone, final = values(encoder, X[row : row + 1, :length])
        same(outputs[row, :length], alone[0], 1e-5)
        same([[s[row : row + 1] for s in one] for one in states], final, 1e-5)


@pytest.mark.parametrize("mask", [None, MASK], ids=["whole", "masked"])
@pytest.mark.parametrize("skip", ["none", "residual", "highway", "dense"])
@pytest.mark.parametrize("layer_norm", [False, True])
def test_one_vector_a_row_is_that_of_the_last_real_step(mask, skip, layer_norm):
    encoder = make(layers=2, skip=skip, layer_norm=layer_norm)
    outputs, states = values(encoder, X, mask=mask)
    last, final = values(encoder, X, mask=mask, return_sequences=False)
    lengths = LENGTHS if mask is not None else np.full(4, 6)
    same(last, np.stack([outputs[i, n - 1] if n else np.zeros(4) for i, n in enumerate(lengths)]), 1e-5)
    same(final, states)


@pytest.mark.parametrize("skip", ["none", "residual", "highway", "dense"])
def test_the_backward_half_is_that_of_the_first_step(skip):
    encoder = make(layers=2, bidirectional=True, skip=skip)
    outputs, _ = values(encoder, X, mask=MASK)
    last, _ = values(encoder, X, mask=MASK, return_sequences=False)
    for row, length in enumerate(LENGTHS[:3]):
        same(last[row], np.concatenate([outputs[row, length - 1, :4], outputs[row, 0, 4:]]))
    np.testing.assert_array_equal(last[3], 0)


def test_each_layer_reads_the_merged_output_below():
    encoder = make(layers=2, bidirectional=True)
    assert [cell.W.shape[0] for cell in (r.cell for layer in encoder.layers for r in layer)] == [4, 4, 8, 8]
    before = values(encoder, X)[0]
    backward = encoder.layers[0][1].cell
    backward.b.assign(backward.b + 1)
    assert np.abs(values(encoder, X)[0][..., :4] - before[..., :4]).max() > 1e-3


@pytest.mark.parametrize("settings", [{"cell": "lstm", "layers": 2}, {"skip": "residual", "layer_norm": True}])
def test_final_states_go_in_again_for_the_next_chunk(settings):
    encoder = make(**settings)
    whole, final = values(encoder, X, mask=MASK)
    first, carried = values(encoder, X[:, :3], mask=MASK[:, :3])
    second, last = values(encoder, X[:, 3:], mask=MASK[:, 3:], initial_state=carried)
    same(np.concatenate([first, second], axis=1), whole, 1e-5)
    same(last, final, 1e-5)


def test_states_come_by_layer_and_direction():
    encoder = make(cell="lstm", layers=2, bidirectional=True)
    outputs, states = values(encoder, X)
    assert [[s.shape for s in one] for one in states] == [[(4, 4), (4, 4)]] * 4
    same(states[2][0], outputs[:, -1, :4])  # forward ends at the last step
    same(states[3][0], outputs[:, 0, 4:])  # backward ends at the first
    marks = [[np.full((4, 4), i, "float32")] * 2 for i in range(4)]
    nothing = values(encoder, X, mask=np.zeros((4, 6), bool), initial_state=marks)[1]
    assert [one[0][0, 0] for one in nothing] == [0, 1, 2, 3]


def test_kept_states_reach_every_layer():
    encoder = make(stateful=True, layers=2)
    plain = Encoder(encoder.config)
    plain.build((None, None, 4))
    for mine, theirs in zip(plain.trainable_weights, encoder.trainable_weights, strict=True):
        mine.assign(theirs)
    whole = values(plain, X)[0]
    chunks = [values(encoder, X[:, i : i + 2])[0] for i in (0, 2, 4)]
    same(np.concatenate(chunks, axis=1), whole)
    encoder.reset_state()
    same(values(encoder, X)[0], whole)


def test_stateful_and_bidirectional_is_refused():
    with pytest.raises(ConfigError, match=r"encoder.bidirectional=true; allowed: one direction, .*; set encoder.bid"):
        make(stateful=True, bidirectional=True)


def test_output_dropout_falls_on_every_layer_and_step_anew():
    encoder = make(units=64, dropout=0.5)
    outputs, _ = values(encoder, X, training=True)
    still, states = values(encoder, X)
    kept = outputs != 0
    assert 0.4 < kept.mean() < 0.6 and (kept[0, 0] != kept[0, 1]).any() and (kept[0, 0] != kept[1, 0]).any()
    same(outputs, 2 * still * kept, 1e-5)  # after the recurrence: it never reaches the carried state
    same(values(encoder, X, training=True)[1], states)
    assert not (still == 0).any(), "off at inference"


def test_dropout_between_layers_reaches_the_states_above_only():
    encoder = make(units=16, layers=2, dropout=0.5)
    (_, still), (_, trained) = values(encoder, X), values(encoder, X, training=True)
    same(trained[0], still[0])
    assert np.abs(trained[1][0] - still[1][0]).max() > 1e-3


def test_input_dropout_falls_on_the_input_only():
    options = {"activation": "linear", "kernel_initializer": "identity", "recurrent_initializer": "zeros"}
    encoder = make(cell="simple_rnn", input_dropout=0.5, options=options)
    outputs, _ = values(encoder, X, training=True)
    kept = outputs != 0
    assert 0.3 < kept.mean() < 0.7
    same(outputs, 2 * X * kept)
    same(values(encoder, X)[0], X)


def test_each_direction_and_layer_draws_its_own_recurrent_dropout():
    encoder = make(layers=2, bidirectional=True, recurrent_dropout=0.5)
    assert encoder.running_engine == "loop"
    assert len({id(r.seed_generator) for layer in encoder.layers for r in layer}) == 4
    assert np.abs(values(encoder, X, training=True)[0] - values(encoder, X, training=True)[0]).max() > 1e-3


def count(cell, features, units):
    return {
        "simple_rnn": units * (features + units + 1),
        "lstm": 4 * units * (features + units + 1),
        "gru": 3 * units * (features + units + 2),
    }[cell]


@pytest.mark.parametrize("cell", ["simple_rnn", "lstm", "gru"])
@pytest.mark.parametrize(("merge", "width"), [("concat", 10), ("sum", 5)])
def test_the_number_of_parameters(cell, merge, width):
    one = Encoder(EncoderConfig(cell=cell, units=5, layers=2))
    one.build((None, None, 3))
    assert one.count_params() == count(cell, 3, 5) + count(cell, 5, 5) and one.output_size == 5
    two = Encoder(EncoderConfig(cell=cell, units=5, layers=2, bidirectional=True, merge=merge, layer_norm=True))
    two.build((None, None, 3))
    assert two.count_params() == 2 * (count(cell, 3, 5) + count(cell, width, 5) + 2 * width)
    assert two.output_size == width == values(two, X[..., :3])[0].shape[-1]


def test_resolved_engine_is_reported():
    assert make().running_engine in ("native", "keras") and make(engine="loop").running_engine == "loop"
    with pytest.raises(ConfigError, match=r"no option 'forget'; did you mean encoder.options.forget_bias"):
        make(cell="lstm", options={"forget": 0})


def test_an_encoder_is_saved_with_its_settings_and_weights(tmp_path):
    settings = {"layers": 2, "bidirectional": True, "layer_norm": True, "skip": "residual", "merge": "mean"}
    encoder = make(cell="lstm", options={"forget_bias": 0.5}, dropout=0.1, **settings)
    inputs, mask = keras.Input((None, 4)), keras.Input((None,), dtype="bool")
    model = keras.Model([inputs, mask], encoder(inputs, mask=mask, return_sequences=False)[0])
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    same(np.asarray(again([X, MASK])), np.asarray(model([X, MASK])))
    copy = next(layer for layer in again.layers if isinstance(layer, Encoder))
    assert copy.config == encoder.config and all(isinstance(r, Recurrent) for layer in copy.layers for r in layer)
    model.save_weights(tmp_path / "x.weights.h5")
    for weight in copy.trainable_weights:
        weight.assign(weight * 0)
    again.load_weights(tmp_path / "x.weights.h5")
    same(np.asarray(again([X, MASK])), np.asarray(model([X, MASK])))


@pytest.mark.parametrize("cell", ["lstm", "min_gru"])
def test_states_are_kept_before_the_end_and_gradients_flow_through_the_whole(cell):
    config = EncoderConfig(cell=cell, units=5, layers=2)
    encoder, plain = Encoder(config, stateful=True), Encoder(config)
    x = np.random.default_rng(0).normal(size=(3, 6, 4)).astype("float32")
    plain(x), encoder(x[:, :1])
    encoder.reset_state()
    for mine, theirs in zip(plain.trainable_weights, encoder.trainable_weights, strict=True):
        mine.assign(theirs)
    with tf.GradientTape() as tape:
        tape.watch(given := tf.constant(x))
        out, finals = encoder(given, training=True, keep=2)
        last = tf.reduce_sum(out[:, -1])
    wanted, states = plain(x)
    np.testing.assert_allclose(out, wanted, atol=1e-6)
    for one, other in zip(keras.tree.flatten(finals), keras.tree.flatten(states), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    assert np.abs(tape.gradient(last, given)[:, 0]).min() > 0
    np.testing.assert_allclose(encoder(x[:, 2:4], training=True)[0], wanted[:, 2:4], atol=1e-6)  # it went on after two
    np.testing.assert_allclose(encoder(x[:, :4], keep=1)[0], wanted[:, :4], atol=1e-6)
    np.testing.assert_allclose(encoder(x[:, 4:])[0], wanted[:, 4:], atol=1e-6)  # not in training: kept after all


def test_the_layers_can_be_of_other_width_and_dropout():
    config = EncoderConfig(cell="gru", units=7, layers=3, last_units=4, variational_dropout=0.3, variational_input=0.1)
    encoder = Encoder(config)
    out, finals = encoder(np.zeros((2, 3, 5)))
    assert out.shape == (2, 3, 4) == (2, 3, encoder.output_size)
    assert [state.shape[-1] for (state,) in finals] == [7, 7, 4]
    assert [drop.rate for drop in encoder.drops_variational] == [0.1, 0.3, 0.3]
    for skip in ("highway", "residual", "dense"):
        both = Encoder(EncoderConfig(cell="gru", units=7, layers=3, last_units=4, skip=skip, bidirectional=True))
        assert both(np.zeros((2, 3, 14)))[0].shape == (2, 3, 8)
