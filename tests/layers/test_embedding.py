"""The embedding that gives its table."""

import keras
import numpy as np
import pytest

from seqtasks.layers.embedding import Embedding


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_rows_are_those_of_the_table(dtype):
    layer, tokens = Embedding(5, 3, dtype=dtype), np.array([[4, 0], [2, 2]])
    table, found = layer(tokens, whole=True), layer(tokens)
    assert table.shape == (5, 3) and found.shape == (2, 2, 3) and table.dtype == found.dtype
    table, found = (keras.ops.convert_to_numpy(keras.ops.cast(x, "float32")) for x in (table, found))
    np.testing.assert_array_equal(table[tokens], found)


def test_a_graph_knows_both_shapes_and_weights_are_those_of_keras():
    tokens = keras.Input((None,), dtype="int32")
    layer = Embedding(5, 3)
    assert layer(tokens).shape == (None, None, 3) and layer(tokens, whole=True).shape == (5, 3)
    theirs = keras.layers.Embedding(5, 3)
    theirs.build()
    theirs.set_weights(layer.get_weights())
    np.testing.assert_array_equal(theirs(np.arange(5)), layer(np.arange(5)))
    assert Embedding.from_config(layer.get_config()).output_dim == 3
