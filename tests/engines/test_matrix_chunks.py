"""Cells with a matrix as state in chunks, against the loop: outputs, states and gradients."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqtasks.cells.base import cell_options
from seqtasks.cells.matrix_cell import MatrixCell
from seqtasks.core import plugins
from seqtasks.engines import matrix_chunks
from seqtasks.layers.recurrent import Recurrent

BATCH, FEATURES, UNITS = 3, 5, 8
CELLS = [entry.name for entry in plugins.cells.entries() if issubclass(plugins.cells.get(entry.name), MatrixCell)]
RNG = np.random.default_rng(0)


def layer_of(name, engine, **more):
    keras.utils.set_random_seed(0)
    cell = plugins.cells.get(name)(UNITS, heads=2)
    layer = Recurrent(cell, engine=engine, **more)
    layer.build((None, None, FEATURES))
    rng = np.random.default_rng(1)
    for weight in layer.trainable_weights:
        weight.assign(keras.ops.convert_to_numpy(weight) + 0.3 * rng.normal(size=weight.shape))
    return layer


def values_and_gradients(layer, x, mask, states):
    """Outputs and final states, and gradients of a weighted sum of them."""

    def loss(outputs, final):
        weights = [np.cos(np.arange(np.prod(z.shape))).reshape(z.shape).astype("float32") for z in (outputs, *final)]
        return sum(tf.reduce_sum(z * w) for z, w in zip((outputs, *final), weights, strict=True))

    at = [tf.constant(z) for z in (x, *states)]
    with tf.GradientTape() as tape:
        tape.watch(at)
        outputs, final = layer(at[0], mask=mask, initial_state=at[1:])
        total = loss(outputs, final)
    gradients = tape.gradient(total, [*layer.trainable_variables, *at])
    return [z.numpy() for z in (outputs, *final, *gradients)]


def close(computed, expected, tolerance=1e-5):
    for one, other in zip(computed, expected, strict=True):
        worst = np.max(np.abs(one - other)) / (1 + np.max(np.abs(other)))
        assert worst <= tolerance, worst


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("longest", [16, pytest.param(matrix_chunks.LONGEST, marks=pytest.mark.slow)])
def test_chunks_give_what_the_loop_gives(monkeypatch, name, longest):
    monkeypatch.setattr(matrix_chunks, "LONGEST", longest)
    time = 2 * longest + 5  # two whole chunks and a part
    x = RNG.normal(size=(BATCH, time, FEATURES)).astype("float32")
    mask = np.arange(time) < np.array([time, longest + 2, 0])[:, None]
    mask[0, longest - 3 : longest + 4] = False  # around the border of a chunk
    loop, chunks = layer_of(name, "loop"), layer_of(name, "parallel")
    states = [RNG.uniform(0.1, 0.5, size=(BATCH, size)).astype("float32") for size in loop.cell.state_size]
    close(values_and_gradients(chunks, x, mask, states), values_and_gradients(loop, x, mask, states))


@pytest.mark.parametrize("name", ["mlstm", "rwkv7"])
def test_an_unknown_number_of_steps_and_the_backward_direction(name):
    loop, chunks = (layer_of(name, engine, direction="backward") for engine in ("loop", "parallel"))
    shapes = [tf.TensorSpec((None, None, FEATURES)), tf.TensorSpec((None, None), tf.bool)]
    run = tf.function(lambda x, mask: chunks(x, mask=mask, return_sequences=False), input_signature=shapes)
    for time in (1, matrix_chunks.UNKNOWN, 40):
        x = RNG.normal(size=(BATCH, time, FEATURES)).astype("float32")
        mask = np.arange(time) < np.array([time, 1, 0])[:, None]
        for one, other in zip(run(x, mask), loop(x, mask=mask, return_sequences=False), strict=True):
            close(keras.tree.flatten(one), keras.tree.flatten(other))


@pytest.mark.parametrize("name", CELLS)
def test_large_inputs_give_finite_gradients(name):
    """Gates that are shut, for which exponentials of sums of logarithms would overflow or divide by zero."""
    x = 60 * RNG.normal(size=(BATCH, 40, FEATURES)).astype("float32")
    layer = layer_of(name, "parallel")
    states = [np.zeros((BATCH, size), "float32") for size in layer.cell.state_size]
    assert all(np.all(np.isfinite(z)) for z in values_and_gradients(layer, x, None, states))


@pytest.mark.parametrize("name", CELLS)
def test_heads_are_an_option_of_every_such_cell(name):
    assert cell_options(plugins.cells.get(name))["heads"] == 1


@pytest.mark.parametrize(("time", "steps"), [(1, 1), (6, 8), (64, 64), (65, 64), (None, 32)])
def test_the_length_of_a_chunk(time, steps):
    assert matrix_chunks.chunk_length(time) == steps
