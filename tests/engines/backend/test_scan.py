"""In a graph with a known length the loop takes several steps a turn: the numbers and gradients of single steps."""

import numpy as np
import pytest
import tensorflow as tf

from seqtasks.cells.registration import make_cell
from seqtasks.engines.backend.scan import STEPS_PER_ITERATION, portable_loops, scan
from seqtasks.layers.recurrent import Recurrent


@pytest.mark.a_third
@pytest.mark.parametrize("name", ["lstm", "intersection_rnn"])
@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize("sequences", [True, False])
def test_a_graph_gives_what_single_steps_give(name, direction, sequences):
    rng = np.random.default_rng(0)
    layer = Recurrent(make_cell(name, 4), direction, "loop")
    layer.build((None, None, 3))
    layer.set_weights([rng.normal(scale=0.6, size=w.shape) for w in layer.get_weights()])
    weights = [w.value for w in layer.trainable_weights]

    def loss_and_gradients(x, mask):
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs, states = layer(x, mask=mask, return_sequences=sequences)
            loss = tf.reduce_sum(outputs**2) + sum(tf.reduce_sum(tf.sin(s)) for s in states)
        return outputs, states, tape.gradient(loss, [x, *weights])

    for length, masked in (
        (STEPS_PER_ITERATION - 1, True),
        (2 * STEPS_PER_ITERATION + 1, False),
        (2 * STEPS_PER_ITERATION + 1, True),
    ):
        x = tf.constant(rng.normal(size=(3, length, 3)).astype("float32"))
        mask = (
            tf.constant(np.arange(length)[None] < np.array([[length], [max(1, length - 2)], [0]])) if masked else None
        )
        expected = loss_and_gradients(x, mask)
        actual = tf.function(loss_and_gradients)(x, mask)
        tf.nest.map_structure(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), actual, expected)


@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize("steps", [1, 6])
def test_portable_loops_give_what_others_give(direction, steps):
    rng = np.random.default_rng(0)
    layer = Recurrent(make_cell("gru", 4), direction, "loop")
    x = rng.normal(size=(2, steps, 3)).astype("float32")
    mask = np.arange(steps)[None] < np.array([[steps], [steps - 2]])
    expected = layer(x, mask=mask)

    def portable(x, mask):
        with portable_loops():
            return layer(x, mask=mask)

    function = tf.function(portable).get_concrete_function(tf.constant(x), tf.constant(mask))
    actual = function(tf.constant(x), tf.constant(mask))
    tf.nest.map_structure(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), actual, expected)
    # One step is no loop, and a backward loop also runs from the first step on, over flipped inputs.
    operations = [operation.type for operation in function.graph.get_operations()]
    assert any("While" in name for name in operations) == (steps > 1)
    assert ("ReverseV2" in operations) == (steps > 1 and direction == "backward")


@pytest.mark.parametrize("reverse", [False, True])
def test_xla_differentiates_a_loop_of_unknown_length(reverse) -> None:
    w = tf.Variable(np.random.default_rng(0).normal(size=(3, 3)).astype("float32"))

    def gradient(x):
        def body(carry, step):
            h = tf.tanh(carry[0] @ w + step[0])
            return (h,), h

        with tf.GradientTape() as tape:
            _, outputs = scan(body, (tf.zeros((2, 3)),), (x,), reverse, 3)
            loss = tf.reduce_sum(outputs**2)
        return tape.gradient(loss, w)

    signature = [tf.TensorSpec((None, 2, 3), "float32")]
    x = tf.constant(np.random.default_rng(1).normal(size=(7, 2, 3)).astype("float32"))
    compiled = tf.function(gradient, input_signature=signature, jit_compile=True)
    np.testing.assert_allclose(compiled(x), tf.function(gradient, input_signature=signature)(x), rtol=1e-5)
