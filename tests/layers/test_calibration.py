"""The numbers of validation are saved with the model and change no output."""

import keras
import numpy as np

from seqtasks.layers import Calibration


def test_the_numbers_are_saved_with_the_model(tmp_path):
    inputs = keras.Input((None, 2))
    model = keras.Model(inputs, Calibration(2, name="c")(inputs))
    model.get_layer("c").set([0.5, 2.0], 3.5)
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    layer, x = loaded.get_layer("c"), np.random.default_rng(0).normal(size=(2, 5, 2)).astype("float32")
    assert np.asarray(layer.scale).tolist() == [0.5, 2.0] and float(layer.threshold) == 3.5
    assert np.array_equal(np.asarray(loaded(x)), x)
    assert not loaded.trainable_weights and len(loaded.weights) == 2


def test_no_step_is_above_the_threshold_before_it_is_set():
    assert float(Calibration(1).threshold) > 1e38
