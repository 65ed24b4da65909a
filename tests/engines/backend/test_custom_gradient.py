import gc
import weakref

import keras
import numpy as np
import pytest

from seqtasks.engines.backend.custom_gradient import custom_gradient
from seqtasks.engines.backend.fused_adam import Adam
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


@pytest.mark.parametrize("cell, engine", [("gru", "native"), ("min_gru", "parallel")])
def test_gradients_go_with_their_model(cell, engine):
    from tensorflow.python.framework import ops

    def own_gradients():
        gc.collect()
        entries = ops.gradient_registry._registry.values()
        return [entry for entry in entries if getattr(entry["type"], "__module__", "") == custom_gradient.__module__]

    inputs = keras.Input((None, 3))
    outputs, _ = Encoder(cell=cell, units=4, engine=engine)(inputs)
    model = keras.Model(inputs, outputs)
    model.compile(Adam(), "mse")  # optimizers of Keras sum gradients over devices by a gradient of their own
    model.fit(np.zeros((2, 5, 3), "float32"), np.zeros((2, 5, 4), "float32"), verbose=0)
    assert own_gradients()
    del inputs, outputs, model
    keras.backend.clear_session()
    assert not own_gradients()


def test_graphs_that_are_freed_meanwhile_change_nothing():
    from tensorflow.python.framework import ops

    registry = ops.gradient_registry._registry

    def forgetful(x):
        @custom_gradient
        def function(x):  # garbage collection may remove the gradients of other graphs at any time
            for name in [name for name in registry if name.startswith("CustomGradient-")]:
                del registry[name]
            return x**3, lambda gradient: 10 * gradient * x

        return function(x)

    tf.function(cubed).get_concrete_function(tf.TensorSpec((), tf.float32))
    before = set(registry)
    graph = weakref.ref(tf.function(forgetful).get_concrete_function(tf.TensorSpec((), tf.float32)).graph)
    gc.collect()
    assert graph() is None
    assert set(registry) <= before
