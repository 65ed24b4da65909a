"""A grid as a sequence."""

import keras
import numpy as np

from seqtasks.layers.vision import PositionEmbedding2D

X = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype("float32")


def test_steps_are_locations_row_by_row_with_their_vectors():
    layer = PositionEmbedding2D()
    out = keras.ops.convert_to_numpy(layer(X))
    vectors = keras.ops.convert_to_numpy(layer.vectors)
    assert out.shape == (2, 12, 5) and np.abs(vectors).min() > 0
    for row in range(3):
        for column in range(4):
            np.testing.assert_allclose(out[:, row * 4 + column], X[:, row, column] + vectors[row, column], atol=1e-6)


def test_it_is_saved(tmp_path):
    image = keras.Input((3, 4, 5))
    model = keras.Model(image, PositionEmbedding2D()(image))
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.predict_on_batch(X), model.predict_on_batch(X))
