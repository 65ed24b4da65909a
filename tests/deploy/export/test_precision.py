"""Models of mixed precision that are exported in float32."""

import keras
import numpy as np
import pytest

from seqtasks.deploy.export.precision import in_float32
from seqtasks.layers import Encoder


@pytest.mark.parametrize("precision", ["mixed_float16", "mixed_bfloat16"])
def test_the_outputs_are_those_of_float32(precision):
    def build(dtype):
        x = keras.Input((None, 3))
        outputs, _ = Encoder(cell="lstm", units=4, layers=2, bidirectional=True, dtype=dtype)(x)
        return keras.Model(x, keras.layers.Dense(2, dtype=dtype)(outputs))

    mixed, plain = build(precision), build("float32")
    plain.set_weights(mixed.get_weights())
    x = np.random.default_rng(0).normal(size=(2, 5, 3)).astype("float32")
    expected = np.asarray(plain(x))
    assert np.abs(np.asarray(mixed(x), "float32") - expected).max() > 1e-5  # there is something to mend
    made = np.asarray(in_float32(mixed, precision)(x))
    assert made.dtype == np.float32
    np.testing.assert_allclose(made, expected, atol=1e-6)
