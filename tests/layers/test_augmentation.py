"""Images change in training only, and not more than they may."""

import keras
import numpy as np

from seqtasks.layers.augmentation import RandomAffine


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
