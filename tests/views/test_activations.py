"""Activations: equal on the engines, for every kind of model, and as fast as a prediction."""

from __future__ import annotations

import time

import keras
import numpy as np
import pytest

from seqtasks.core.errors import ConfigError
from seqtasks.engines.native import library
from seqtasks.layers import Encoder
from seqtasks.views.activations import activations

RNG = np.random.default_rng(0)


def classifier(engine: str, cell: str = "lstm", units: int = 8, **settings) -> keras.Model:
    keras.utils.set_random_seed(0)
    x, mask = keras.Input((None, 4), name="x"), keras.Input((None,), dtype="bool", name="mask")
    encoder = Encoder(cell=cell, units=units, engine=engine, name="encoder", **settings)
    return keras.Model([x, mask], keras.layers.Dense(3)(encoder(x, mask=mask, return_sequences=False)[0]))


@pytest.mark.skipif(library.library() is None, reason="the loop in C was not built")
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_the_native_engine_has_the_activations_of_the_loop(cell: str) -> None:
    inputs = {
        "x": RNG.normal(size=(5, 30, 4)).astype("float32"),
        "mask": np.arange(30)[None] < np.array([[30], [3], [17], [0], [29]]),
    }
    fast, slow = (classifier(engine, cell, layers=2, bidirectional=True) for engine in ("native", "loop"))
    slow.set_weights(fast.get_weights())
    names = ["layer 1", "layer 1 backward", "layer 2", "layer 2 backward"]
    layers = activations(fast, inputs), activations(slow, inputs)
    assert [[layer.name for layer in one] for one in layers] == [names, names]
    for one, other in zip(*layers, strict=True):
        np.testing.assert_array_equal(one.valid, inputs["mask"])
        for kind in ("states", "gates"):
            for name, values in getattr(one, kind).items():
                expected = getattr(other, kind)[name]
                np.testing.assert_allclose(values[one.valid], expected[one.valid], rtol=0, atol=1e-6, err_msg=name)


@pytest.mark.skipif(library.library() is None, reason="the loop in C was not built")
def test_activations_take_no_more_than_twice_the_time_of_predict() -> None:
    model = classifier("native", units=96)
    inputs = {"x": RNG.normal(size=(32, 200, 4)).astype("float32"), "mask": np.ones((32, 200), bool)}

    def seconds(function) -> float:
        function()
        times = []
        for _ in range(5):
            begin = time.process_time()
            function()
            times.append(time.process_time() - begin)
        return min(times)

    states = seconds(lambda: activations(model, inputs))
    assert states <= 2 * seconds(lambda: model.predict(inputs, batch_size=32, verbose=0))


def test_gates_of_one_layer() -> None:
    x = keras.Input((None, 3))
    model = keras.Model(x, Encoder(cell="gru", units=4, layers=2, name="encoder")(x)[0])
    inputs = np.random.default_rng(0).normal(size=(2, 5, 3)).astype("float32")
    every = {layer.name: layer for layer in activations(model, inputs)}
    first, second = activations(model, inputs, gates="layer 2")
    assert not first.gates and set(second.gates) == set(every["layer 2"].gates) != set()
    for name, values in second.gates.items():
        np.testing.assert_array_equal(values, every["layer 2"].gates[name])


def test_a_model_that_runs_its_own_loop_has_all_its_steps() -> None:
    encoder = Encoder(cell="gru", units=3, name="encoder")

    class Stepwise(keras.layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = encoder

        def call(self, x):
            states = self.encoder.initial_state(2)
            for t in range(4):
                last, states = self.encoder(x[:, t : t + 1], initial_state=states, return_sequences=False)
            return last

    x = keras.Input((4, 5))
    model = keras.Model(x, Stepwise()(x))
    values = RNG.normal(size=(2, 4, 5)).astype("float32")
    (layer,) = activations(model, values)
    assert layer.states["h"].shape == (2, 4, 3) and layer.inputs is None
    np.testing.assert_allclose(layer.states["h"], encoder(values)[0], atol=1e-6)


def test_an_encoder_inside_another_layer_is_not_the_main_one() -> None:
    class Reader(keras.layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = Encoder(cell="gru", units=2, name="encoder")

        def call(self, x):
            return self.encoder(x)[0]

    x = keras.Input((None, 3))
    model = keras.Model(x, Encoder(cell="gru", units=4, name="encoder")(Reader()(x))[0])
    (layer,) = activations(model, np.zeros((2, 5, 3), "float32"))
    assert layer.name == "layer 1" and layer.states["h"].shape == (2, 5, 4)


def test_a_model_without_recurrent_layers_is_refused() -> None:
    x = keras.Input((5,))
    with pytest.raises(ConfigError, match="ran no recurrent layer; allowed: models with an encoder"):
        activations(keras.Model(x, keras.layers.Dense(2)(x)), np.zeros((1, 5)))
