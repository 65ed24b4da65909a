"""The rules of time beyond `check_cell`: masks, kept states, gradients, dropout, engines, graphs."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqtasks.cells.registration import make_cell
from seqtasks.core.errors import ConfigError
from seqtasks.engines import available
from seqtasks.layers.recurrent import Recurrent

CELLS = ["simple_rnn", "lstm", "gru"]
ENGINES = [name for name in available(make_cell("lstm", 1)) if name != "parallel"]
any_type = pytest.mark.parametrize("engine", ["keras", "loop"])  # native computes in float32 only
both = pytest.mark.parametrize("engine", ENGINES)
every = pytest.mark.parametrize("cell", CELLS)
X = np.random.default_rng(0).normal(size=(4, 6, 3)).astype("float32")
MASK = np.arange(6)[None] < np.array([6, 4, 1, 0])[:, None]


def make(cell="lstm", engine="loop", units=5, options=None, dtype=None, **more):
    layer = Recurrent(make_cell(cell, units, options, dtype=dtype), engine=engine, dtype=dtype, **more)
    layer.build((None, None, 3))
    return layer


def values(layer, *args, **more):
    outputs, states = layer(*args, **more)
    return np.asarray(outputs), [np.asarray(state) for state in states]


def same(got, wanted, tolerance=1e-6):
    tf.nest.map_structure(lambda a, b: np.testing.assert_allclose(a, b, atol=tolerance), got, wanted)


@both
@pytest.mark.parametrize("shape", [(4, 5), (4, 7), (4,), (4, 6, 1), (1, 6), (3, 6)])
def test_a_mask_of_another_shape_is_refused(engine, shape):
    with pytest.raises(ValueError, match=r"the mask has"):
        make(engine=engine)(X, mask=np.ones(shape, bool))


@both
def test_wrong_states_inputs_and_resets_are_refused(engine):
    layer, good = make(engine=engine), np.zeros((4, 5), "float32")
    for states in ([good], [good, good, good], [good, good[:, :4]]):
        with pytest.raises(ValueError, match=r"initial states have widths .*; allowed: \[5, 5\]"):
            layer(X, initial_state=states)
    with pytest.raises(ValueError, match="rows"):
        layer(X, initial_state=[good[:1], good[:1]])
    with pytest.raises(ValueError, match="rows"):
        layer(X, reset=np.ones(1, bool))
    with pytest.raises(ValueError, match=r"allowed: \(batch, time, features\)"):
        layer(X[0])


@both
def test_any_kind_of_mask_is_read_as_true_or_false(engine):
    layer = make(engine=engine)
    for kind in ("int32", "float32"):
        same(values(layer, X, mask=MASK.astype(kind)), values(layer, X, mask=MASK))


@both
@every
def test_padding_changes_neither_loss_nor_gradients(cell, engine):
    layer = make(cell, engine)

    def loss_and_gradients(steps, mask):
        x = np.concatenate([X, np.full((4, 3, 3), 7, "float32")], axis=1)[:, :steps]
        with tf.GradientTape() as tape:
            outputs, states = layer(x, mask=mask)
            loss = tf.reduce_sum(tf.square(outputs)) + sum(tf.reduce_sum(s) for s in states)
        return loss, tape.gradient(loss, [w.value for w in layer.trainable_weights])

    same(loss_and_gradients(9, np.pad(MASK, [(0, 0), (0, 3)])), loss_and_gradients(6, MASK), 1e-5)


@any_type
@every
@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_gradients_equal_finite_differences(cell, engine, direction):
    layer = make(cell, engine, units=3, dtype="float64", direction=direction)
    rng = np.random.default_rng(1)
    readout = rng.normal(size=(4, 6, 3))

    def loss(x):
        outputs, states = layer(x, mask=MASK)
        return tf.reduce_sum(outputs * readout) + sum(tf.reduce_sum(tf.sin(s)) for s in states)

    x = tf.constant(X, "float64")
    weights = layer.trainable_weights
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = loss(x)
    grads = tape.gradient(total, [x, *(w.value for w in weights)])
    step = rng.normal(size=x.shape) * 1e-6
    measured = (loss(x + step) - loss(x - step)) / 2
    np.testing.assert_allclose(measured, np.sum(grads[0] * step), rtol=1e-5)
    for weight, grad in zip(weights, grads[1:], strict=True):
        before, step = weight.numpy(), rng.normal(size=weight.shape) * 1e-6
        weight.assign(before + step)
        above = loss(x)
        weight.assign(before - step)
        measured = (above - loss(x)) / 2
        weight.assign(before)
        np.testing.assert_allclose(measured, np.sum(grad * step), rtol=1e-5, err_msg=weight.path)


@both
def test_kept_states_make_chunks_the_whole(engine):
    layer = make(engine=engine, stateful=True, max_batch=9)
    whole = values(Recurrent(layer.cell, engine=engine), X)
    first, second = values(layer, X[:, :2])[0], values(layer, X[:, 2:])
    same(np.concatenate([first, second[0]], axis=1), whole[0])
    same(second[1], whole[1])


@both
def test_any_batch_size_up_to_the_largest_is_kept(engine):
    layer = make("gru", engine, stateful=True, max_batch=4)
    _, four = values(layer, X)
    _, two = values(layer, X[:2], initial_state=None)
    same(two, values(layer, X[:2], initial_state=[four[0][:2]])[1])
    layer.reset_state()
    values(layer, X)
    same(values(layer, X[:1])[1], values(layer, X[:1], initial_state=[four[0][:1]])[1])
    same(layer._kept[False][0][1:], four[0][1:])  # the rows that were not there stay as they were
    with pytest.raises(ValueError, match="a batch of 5 rows; allowed: 4 in this stateful layer; raise max_batch"):
        layer(np.concatenate([X, X[:1]]))


def test_training_and_inference_keep_states_apart():
    layer = make("gru", stateful=True, max_batch=4)
    fresh = values(layer, X, training=True)[0]
    same(values(layer, X)[0], fresh)  # inference starts from zero, whatever training has seen
    carried = values(layer, X, training=True)[0]
    assert np.abs(carried - fresh).max() > 1e-3
    layer.reset_state(training=False)
    assert np.abs(values(layer, X, training=True)[0] - fresh).max() > 1e-3
    layer.reset_state(training=True)
    same(values(layer, X, training=True)[0], fresh)
    layer.reset_state()
    same(values(layer, X)[0], fresh)


def test_given_states_go_before_kept_ones_and_rows_are_reset():
    layer = make("gru", stateful=True, max_batch=4)
    fresh = values(layer, X)[0]
    rows = np.array([True, False, False, True])
    mixed = values(layer, X, reset=rows)[0]
    same(mixed[rows], fresh[rows])
    assert np.abs(mixed[~rows] - fresh[~rows]).max() > 1e-3
    same(values(layer, X, initial_state=[np.zeros((4, 5), "float32")])[0], fresh)


def test_the_gradient_stops_at_the_border_of_a_chunk():
    layer = make("gru", stateful=True, max_batch=4)
    weights = [w.value for w in layer.trainable_weights]
    _, carried = values(layer, X[:, :3], training=True)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(X[:, 3:], training=True)[0] ** 2)
    kept = tape.gradient(loss, weights)
    layer.reset_state()
    with tf.GradientTape(persistent=True) as tape:
        first = layer(X[:, :3], training=False)[1]
        detached = [tf.stop_gradient(s) for s in first]
        cut = tf.reduce_sum(layer(X[:, 3:], initial_state=detached)[0] ** 2)
        through = tf.reduce_sum(layer(X[:, 3:], initial_state=first)[0] ** 2)
    same(carried, [s.numpy() for s in first])
    same(kept, tape.gradient(cut, weights), 1e-5)
    assert np.abs(kept[0] - tape.gradient(through, weights)[0]).max() > 1e-3


def test_kept_states_are_not_saved(tmp_path):
    inputs = keras.Input((None, 3))
    model = keras.Model(inputs, make("gru", stateful=True, max_batch=4)(inputs)[0])
    fresh = model(X).numpy()
    assert np.abs(model(X).numpy() - fresh).max() > 1e-3
    model.save(tmp_path / "model.keras")
    same(keras.models.load_model(tmp_path / "model.keras")(X).numpy(), fresh)


def test_kept_states_are_not_weights():
    def model(**arguments):
        inputs = keras.Input((None, 3))
        return keras.Model(inputs, make("gru", **arguments)(inputs)[0])

    trained, stepper = model(), model(stateful=True, max_batch=4)
    stepper.set_weights(trained.get_weights())
    by_step = [stepper(X[:, t : t + 1]).numpy() for t in range(X.shape[1])]
    same(np.concatenate(by_step, axis=1), trained(X).numpy())
    assert stepper.count_params() == trained.count_params()


def test_what_cannot_be_built_is_refused():
    with pytest.raises(ConfigError, match="stateful layer with direction 'backward'; allowed: forward"):
        make(direction="backward", stateful=True)
    with pytest.raises(ConfigError, match="direction is 'sideways'; allowed: forward, backward"):
        make(direction="sideways")
    with pytest.raises(ConfigError, match="unknown engine 'cuda'; allowed: auto, keras, loop"):
        make(engine="cuda")
    with pytest.raises(ConfigError, match=r"engine=keras cannot run this: recurrent_dropout .* encoder.engine=loop"):
        make(engine="keras", recurrent_dropout=0.1)


@every
@pytest.mark.parametrize("sequences", [True, False])
def test_the_engines_agree(cell, sequences):
    keras_, loop = make(cell, "keras"), make(cell, "loop")
    loop.cell.set_weights(keras_.cell.get_weights())
    for more in ({}, {"mask": MASK}, {"mask": MASK[:, ::-1]}):
        got, wanted = (values(layer, X, return_sequences=sequences, **more) for layer in (keras_, loop))
        same(got, wanted)


@pytest.mark.parametrize(("cell", "bias"), [("lstm", [-99, 99, 0, 0]), ("gru", [99, 0, 0])])
def test_recurrent_dropout_never_touches_the_carried_state(cell, bias):
    layer = make(cell, recurrent_dropout=0.9)
    b = np.repeat(np.array(bias, "float32"), 5)
    layer.cell.b.assign(np.stack([b, 0 * b]) if cell == "gru" else b)
    start = [np.full((4, 5), 0.7, "float32") for _ in layer.cell.states]
    x = np.random.default_rng(2).normal(size=(4, 100, 3)).astype("float32")
    _, final = values(layer, x, initial_state=start, training=True)
    np.testing.assert_array_equal(final[-1], start[-1])


def dropped(training=True, rate=0.5, rows=4):
    """A cell that only multiplies its state by the mask: h_t = m^t, 2^t where kept, else 0."""
    options = {"activation": "linear", "kernel_initializer": "zeros", "recurrent_initializer": "identity"}
    layer = make("simple_rnn", units=64, options=options, recurrent_dropout=rate)

    def run():
        x = np.zeros((rows, 5, 3), "float32")
        return values(layer, x, initial_state=[np.ones((rows, 64), "float32")], training=training)[0]

    return run


def test_the_dropout_mask_is_one_for_a_row_and_a_call():
    run = dropped()
    first, second = run(), run()
    for outputs in (first, second):
        assert set(np.unique(outputs[:, 0])) == {0, 2}
        same(outputs, outputs[:, :1] ** np.arange(1, 6)[None, :, None])  # fixed within the sequence
        assert (outputs[0, 0] != outputs[1, 0]).any(), "each row has its own"
    assert (first != second).any(), "each call has its own"
    assert 0.3 < (first[:, 0] > 0).mean() < 0.7
    np.testing.assert_array_equal(dropped(training=False)(), 1)


@any_type
def test_half_precision_is_used_and_finite(engine):
    layer = make(engine=engine, dtype="mixed_float16")
    for mask in (None, MASK):
        outputs, states = layer(X.astype("float16"), mask=mask)
        assert {str(t.dtype.name) for t in [outputs, *states]} == {"float16"}
        assert all(np.isfinite(t).all() for t in [outputs, *states])
    assert {str(w.dtype) for w in layer.trainable_weights} == {"float32"}
    layer_32 = make(engine=engine)
    layer_32.cell.set_weights(layer.cell.get_weights())
    same(outputs.numpy().astype("float32"), values(layer_32, X, mask=MASK)[0], 1e-2)


@both
def test_eager_and_graph_with_unknown_sizes_agree(engine):
    layer = make(engine=engine)

    @tf.function(input_signature=[tf.TensorSpec((None, None, 3)), tf.TensorSpec((None, None), tf.bool)])
    def graph(x, mask):
        return layer(x, mask=mask)

    for rows, steps in ((4, 6), (2, 3), (1, 1)):
        x, mask = X[:rows, :steps], MASK[:rows, :steps]
        same(tf.nest.map_structure(np.asarray, tuple(graph(x, mask))), values(layer, x, mask=mask))


def test_xla_gives_the_same_numbers():
    layer = make("gru", "loop")

    def loss_and_gradient(x, mask):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(x, mask=mask)[0] ** 2)
        return loss, tape.gradient(loss, layer.cell.U.value)

    compiled = tf.function(loss_and_gradient, jit_compile=True)
    same(compiled(tf.constant(X), tf.constant(MASK)), loss_and_gradient(X, MASK), 1e-5)


@both
def test_a_functional_model_is_saved_and_loaded(engine, tmp_path):
    inputs, mask = keras.Input((None, 3)), keras.Input((None,), dtype="bool")
    layer = make("lstm", engine, options={"forget_bias": 0.5}, direction="backward")
    outputs, states = layer(inputs, mask=mask)
    model = keras.Model([inputs, mask], [outputs, states])
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    same(again([X, MASK]), model([X, MASK]))
    copy = next(part for part in again.layers if isinstance(part, Recurrent))
    assert (copy.running_engine, copy.direction, copy.cell.forget_bias) == (engine, "backward", 0.5)
