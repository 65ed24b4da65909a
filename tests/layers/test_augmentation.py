"""Images change in training only, and not more than they may."""

import keras
import numpy as np
import pytest
from scipy.ndimage import affine_transform

from seqtasks.layers.vision import RandomAffine


def picture():
    image = np.zeros((64, 28, 28), "float32")
    image[:, 10:18, 12:16] = 1
    return image


def test_a_model_that_is_called_sees_the_images_as_they_are(tmp_path):
    inputs = keras.Input((28, 28))
    model = keras.Model(inputs, RandomAffine()(inputs))
    model.save(tmp_path / "m.keras")
    for one in (model, keras.models.load_model(tmp_path / "m.keras")):
        for found in (one(picture()), one(picture(), training=False), one.predict(picture(), verbose=0)):
            np.testing.assert_array_equal(found, picture())
        assert np.abs(np.asarray(one(picture(), training=True)) - picture()).max() > 0.5


def test_in_training_each_image_is_moved_by_no_more_than_allowed():
    keras.utils.set_random_seed(0)
    found = np.asarray(RandomAffine(degrees=0, zoom=0, shift=2 / 28)(picture(), training=True))
    centres = np.stack([found.sum(axis) @ np.arange(28) for axis in (1, 2)], 1) / found.sum((1, 2))[:, None]
    moved = np.abs(centres - 13.5)  # of columns and of rows
    assert 1.5 < moved.max() <= 2.001 and len(np.unique(moved.round(3), axis=0)) > 30
    turned = np.asarray(RandomAffine(degrees=10, zoom=0, shift=0)(picture(), training=True))
    assert np.abs(turned - picture()).max() > 0.1
    np.testing.assert_allclose(turned.sum((1, 2)), picture().sum((1, 2)), rtol=0.05)


@pytest.mark.parametrize(("height", "width"), [(28, 28), (20, 31)])
def test_pixels_come_from_where_scipy_says(height, width):
    keras.utils.set_random_seed(1)
    layer = RandomAffine(degrees=30, zoom=0.3, shift=0.2)
    images = np.random.default_rng(0).random((12, height, width)).astype("float32")
    where = np.asarray(layer.transforms(12, height, width))
    assert np.abs(np.linalg.det(where[:, :, :2])).min() > 0.4
    layer.transforms = lambda *_: keras.ops.convert_to_tensor(where)
    found = np.asarray(layer(images, training=True))
    for image, ((a, b, c), (d, e, f)), moved in zip(images, where, found, strict=True):
        padded = np.pad(image, 1)  # beyond its last pixel scipy's image ends, Keras's fades out
        matrix, start = np.array([[e, d], [b, a]]), np.array([f + 1, c + 1])
        expected = affine_transform(padded, matrix, start, (height, width), order=1, mode="constant")
        np.testing.assert_allclose(moved, expected, atol=2e-4)


def test_turning_scaling_and_moving_stay_within_their_bounds():
    keras.utils.set_random_seed(2)
    where = np.asarray(RandomAffine(degrees=10, zoom=0.1, shift=0.05).transforms(2000, 20, 40), np.float64)
    rows = where[:, :, :2]
    scales = np.linalg.norm(rows, axis=2)
    angles = np.degrees(np.arctan2(rows[:, 1, 0], rows[:, 1, 1]))
    moved = where[:, :, 2] - [19.5, 9.5] + rows @ [19.5, 9.5]
    for found, most in ((scales - 1, 0.1), (angles / 10, 1), (moved / [40, 20], 0.05)):
        assert np.abs(found).max() <= most + 1e-5 and found.min() < -0.95 * most and found.max() > 0.95 * most
