"""The reader of frames: each by itself, against the convolutions one after the other; saving."""

import keras
import numpy as np
import pytest

from seqtasks.core.errors import ConfigError
from seqtasks.layers.vision import FrameEncoder

FILMS = np.random.default_rng(0).random((2, 3, 7, 9)).astype("float32")


def test_each_image_is_read_by_itself():
    reader = FrameEncoder([4, 5], 6)
    found = keras.ops.convert_to_numpy(reader(FILMS))
    assert found.shape == (2, 3, 6) and found.max() > 0
    for film, vectors in zip(FILMS, found, strict=True):
        for image, vector in zip(film, vectors, strict=True):
            x = image[None, :, :, None]
            for convolution in reader.convolutions:
                x = convolution(x)
            wanted = reader.dense(keras.ops.reshape(x, (1, -1)))
            np.testing.assert_allclose(vector, keras.ops.convert_to_numpy(wanted)[0], atol=1e-5)


def test_the_first_convolution_by_hand():
    reader = FrameEncoder([1], 1)
    reader.build((None, None, 7, 9))
    kernel = np.random.default_rng(1).normal(size=(5, 5, 1, 1)).astype("float32")
    reader.convolutions[0].kernel.assign(kernel)
    found = keras.ops.convert_to_numpy(reader.convolutions[0](FILMS[0][..., None]))[..., 0]
    padded = np.pad(FILMS[0], ((0, 0), (2, 2), (2, 2)))
    wanted = np.zeros((3, 4, 5))
    for n, i, j in np.ndindex(3, 4, 5):
        wanted[n, i, j] = max(0.0, float(np.sum(padded[n, 2 * i : 2 * i + 5, 2 * j : 2 * j + 5] * kernel[..., 0, 0])))
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_it_is_saved_and_loaded(tmp_path):
    inputs = keras.Input((None, 7, 9))
    model = keras.Model(inputs, FrameEncoder([4], 6)(inputs))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded.predict(FILMS, verbose=0), model.predict(FILMS, verbose=0), atol=1e-6)


def test_no_convolution_goes_and_one_without_filters_does_not():
    reader = FrameEncoder([], 6)
    flat = FILMS.reshape(2, 3, -1)
    found = keras.ops.convert_to_numpy(reader(FILMS))
    wanted = np.maximum(flat @ keras.ops.convert_to_numpy(reader.dense.kernel), 0)
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    with pytest.raises(ConfigError, match=r"filters of convolutions are \[4, 0\]; allowed: each ≥ 1"):
        FrameEncoder([4, 0], 6)
