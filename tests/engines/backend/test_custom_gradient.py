import gc
import weakref

import keras
import numpy as np
import pytest

from seqtasks.engines.backend.custom_gradient import custom_gradient
from seqtasks.layers import Encoder

tf = pytest.importorskip("tensorflow")
pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="graphs of TensorFlow")


def cubed(x):
    @custom_gradient
    def function(x):
        return x**3, lambda gradient: 10 * gradient * x

    return function(x)


@pytest.mark.parametrize("traced", [False, True])
def test_the_gradient_is_the_custom_one(traced):
    def gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = cubed(x)
        return tape.gradient(y, x)

    gradient = tf.function(gradient) if traced else gradient
    assert gradient(tf.constant(2.0)).numpy() == 20


def test_the_gradient_of_a_function_that_was_traced_before():
    function = tf.function(cubed)
    function(tf.constant(1.0))
    gc.collect()
    x = tf.constant(2.0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = function(x)
    assert tape.gradient(y, x).numpy() == 20


def test_a_graph_is_freed():
    function = tf.function(cubed)
    graph = weakref.ref(function.get_concrete_function(tf.TensorSpec((), tf.float32)).graph)
    assert graph() is not None
    del function
    gc.collect()
    assert graph() is None


@pytest.mark.parametrize("engine", ["native", "parallel"])
def test_training_another_model_registers_no_more_gradients(engine):
    from tensorflow.python.framework import ops

    def own_gradients():
        gc.collect()
        entries = ops.gradient_registry._registry.items()
        return [name for name, entry in entries if entry["type"].__module__ == custom_gradient.__module__]

    inputs = keras.Input((None, 3))
    outputs, _ = Encoder(cell="min_gru", units=4, engine=engine)(inputs)
    model = keras.Model(inputs, outputs)
    model.compile("sgd", "mse")
    before = own_gradients()
    model.fit(np.zeros((2, 5, 3), "float32"), np.zeros((2, 5, 4), "float32"), verbose=0)
    assert before and len(own_gradients()) > len(before)
    del inputs, outputs, model
    keras.backend.clear_session()
    assert not own_gradients()
