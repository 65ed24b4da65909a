"""Functional models of parallel cells with an unknown number of steps, on every backend."""

import keras
import numpy as np
import pytest

from seqtasks.layers import Encoder


@pytest.mark.parametrize("cell", ["min_gru", "rwkv4", "mamba2"])  # sums, maxima, chunks
def test_a_model_of_any_length_is_built_and_computes_what_the_layer_does(cell: str) -> None:
    inputs = keras.Input((None, 3))
    encoder = Encoder(cell=cell, units=4, engine="parallel")
    model = keras.Model(inputs, encoder(inputs)[0])
    assert model.output_shape == (None, None, 4)
    for steps in (1, 7):
        x = np.random.default_rng(0).normal(size=(2, steps, 3)).astype("float32")
        np.testing.assert_allclose(
            keras.ops.convert_to_numpy(model(x)), keras.ops.convert_to_numpy(encoder(x)[0]), atol=1e-6
        )
