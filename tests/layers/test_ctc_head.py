"""Logits with a certain blank at padding, and their gradients."""

import keras
import numpy as np
import pytest

from seqtasks.layers.speech import BLANK, CTCHead


def test_padding_is_blank_for_certain(tmp_path):
    inputs, steps = keras.Input((None, 4)), keras.Input((None,), dtype="bool")
    model = keras.Model([inputs, steps], CTCHead(3, name="logits")(inputs, mask=steps))
    x = np.random.default_rng(0).normal(size=(2, 5, 4)).astype("float32")
    mask = np.arange(5)[None] < np.array([[5], [2]])
    out = model.predict([x, mask], verbose=0)
    assert out.shape == (2, 5, 4)
    p = np.exp(out[1, 2:] - out[1, 2:].max(axis=-1, keepdims=True))
    assert (p.argmax(axis=-1) == BLANK).all() and p.sum() == 3
    dense = model.get_layer("logits").dense
    np.testing.assert_allclose(
        out[0], x[0] @ keras.ops.convert_to_numpy(dense.kernel) + keras.ops.convert_to_numpy(dense.bias), atol=1e-5
    )
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.predict([x, mask], verbose=0), out)


def test_gradients_are_finite_and_none_comes_from_padding():
    if keras.backend.backend() != "tensorflow":
        pytest.skip("gradients by TensorFlow")
    import tensorflow as tf

    head = CTCHead(3)
    x = tf.Variable(np.random.default_rng(0).normal(size=(3, 5, 4)).astype("float32"))
    mask = np.arange(5)[None] < np.array([[5], [2], [0]])
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(keras.losses.ctc(np.array([[1, 1], [2, 0], [0, 0]]), head(x, mask=mask)))
    gradient = tape.gradient(loss, x).numpy()
    assert np.isfinite(gradient).all() and np.abs(gradient[0]).sum() > 0
    assert not gradient[1, 2:].any() and not gradient[2].any()
