"""Chunks of a scan in a graph, against the whole scan step by step, and its gradients."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqtasks.cells.registration import make_cell
from seqtasks.engines import loop, parallel
from seqtasks.engines.chunked_scan import chunk_length
from seqtasks.engines.engine import LoopInputs
from seqtasks.layers.recurrent import Recurrent

CELLS = ["min_gru", "min_lstm", "sru", "qrnn", "lru", "t_rnn", "t_gru", "t_lstm"]
WIDE = ["s4d", "s5", "mamba", "rg_lru", "hgrn", "rwkv4"]  # these take longer to compile
UNITS, BATCH = 4, 3


def case(cell, time, features=2, seed=0, dtype="float64"):
    """A built cell, its inputs, states and a ragged mask with a hole and an empty row."""
    keras.utils.set_random_seed(seed)
    made = make_cell(cell, UNITS, dtype=dtype)
    made.build((None, None, features))
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(BATCH, time, features))
    states = [rng.normal(size=(BATCH, width)) for width in tf.nest.flatten(made.state_size)]
    mask = np.ones((BATCH, time), bool)
    mask[1, time // 2 :] = mask[0, time // 3] = mask[2] = False
    compute = made.compute_dtype
    return made, tf.constant(x, compute), [tf.constant(v, compute) for v in states], tf.constant(mask)


def outcome(run, cell, x, states, mask, reverse, sequences):
    """Outputs, final states, and the gradients of a sum of all of them, each with a factor of its own."""
    with tf.GradientTape() as tape:
        tape.watch([x, *states])
        out, final = run(cell, LoopInputs(x, states, mask, reverse, sequences))
        parts = [out, *final]
        total = tf.add_n(
            [tf.reduce_sum(v * tf.cos(tf.reshape(tf.range(tf.size(v), dtype=v.dtype), tf.shape(v)))) for v in parts]
        )
    return [*parts, *tape.gradient(total, [x, *states, *(w.value for w in cell.trainable_weights)])]


def same(actual, expected, tolerance=1e-11):
    assert len(actual) == len(expected)
    for one, other in zip(actual, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance * (1 + np.abs(other).max()))


@pytest.mark.a_third
@pytest.mark.parametrize(
    ("time", "masked", "reverse", "sequences"),
    [
        (1, False, False, True),
        (16, False, True, True),
        (17, False, False, False),
        (17, True, True, False),
        (32, True, True, True),
        (32, True, False, False),
        (64, False, True, False),
    ],
)
def test_chunks_are_the_loop(time, masked, reverse, sequences):
    cell, x, states, mask = case("sru", time)
    given = (cell, x, states, mask if masked else None, reverse, sequences)
    same(tf.function(outcome)(parallel.run, *given), outcome(loop.run, *given))


@pytest.mark.a_third
@pytest.mark.parametrize(("cell", "features"), [*((cell, 2) for cell in CELLS), ("sru", 9), ("lru", 9), ("mamba", 9)])
def test_every_cell_in_two_chunks(cell, features):
    given = (*case(cell, 20, features), False, True)
    same(tf.function(outcome)(parallel.run, *given), outcome(loop.run, *given))


@pytest.mark.slow
@pytest.mark.parametrize("features", [2, 9])
@pytest.mark.parametrize("cell", WIDE)
def test_every_wide_cell_in_two_chunks(cell, features):
    given = (*case(cell, 20, features), True, True)
    same(tf.function(outcome)(parallel.run, *given), outcome(loop.run, *given))


@pytest.mark.slow
@pytest.mark.parametrize("cell", [*CELLS, *WIDE])
def test_long_sequences_in_single_precision(cell):
    given = (*case(cell, 4096, dtype="float32"), False, True)
    run = tf.function(outcome)
    # Both engines round the angles of states that rotate, and these errors add up over 4,096 steps.
    tolerance = 1e-4 if cell in ("lru", "s4d", "s5") else 1e-5
    same(run(parallel.run, *given), run(loop.run, *given), tolerance)


def test_one_graph_for_every_length_and_batch():
    cell, *_ = case("qrnn", 1)
    runs = tf.function(
        lambda x, states, mask: outcome(parallel.run, cell, x, states, mask, False, True)
    ).get_concrete_function(
        tf.TensorSpec((None, None, 2), tf.float64),
        [tf.TensorSpec((None, width), tf.float64) for width in cell.state_size],
        tf.TensorSpec((None, None), tf.bool),
    )
    for time in (3, 16, 40):
        _, x, states, mask = case("qrnn", time, seed=time)
        same(runs(x, *states, mask), outcome(loop.run, cell, x, states, mask, False, True))


def test_an_empty_batch_and_no_steps_at_all():
    cell, *_ = case("min_gru", 1)
    runs = tf.function(lambda x, h: parallel.run(cell, LoopInputs(x, [h])))
    for batch, time in ((0, 20), (2, 0)):
        x, h = np.zeros((batch, time, 2)), np.ones((batch, UNITS))
        for out, (final,) in (
            runs(x, h),
            runs.get_concrete_function(tf.TensorSpec((None, None, 2), tf.float64), h)(x, h),
        ):
            assert out.shape == (batch, time, UNITS)
            assert final.shape == (batch, UNITS) and (time or np.all(final == 1))


@pytest.mark.parametrize("features", [2, 9])
def test_mixed_precision_trains_the_weights_of_full_precision(features):
    # The cast of the weights must hold in the gradient, too, and the sums over chunks be exact.
    x, y = np.random.default_rng(0).normal(size=(2, 8, 20, features)).astype("float32")
    trained = {}
    for engine, policy in (("parallel", "mixed_bfloat16"), ("loop", "float32")):
        keras.utils.set_random_seed(0)
        layer = Recurrent(make_cell("sru", features, dtype=policy), engine=engine, dtype=policy)
        inputs = keras.Input((20, features))
        model = keras.Model(inputs, layer(inputs)[0])
        model.compile(keras.optimizers.SGD(1.0), "mse", jit_compile=False)
        model.train_on_batch(x, y)
        trained[engine] = model.get_weights()
    assert {w.dtype for w in trained["parallel"]} == {np.dtype("float32")}
    same(trained["parallel"], trained["loop"], 1e-3)


@pytest.mark.parametrize(
    ("time", "steps"), [(784, 28), (1000, 25), (100, 25), (64, 32), (8, 8), (37, 16), (7, 16), (None, 16)]
)
def test_the_length_of_a_chunk_divides_time_where_it_can(time, steps):
    assert chunk_length(time) == steps
