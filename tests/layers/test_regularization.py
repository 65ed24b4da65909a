"""What is added to embeddings and outputs, against NumPy."""

import keras
import numpy as np
import pytest

from seqtasks.layers.embedding import ActivityPenalty, WordDropout


def test_a_word_is_dropped_everywhere_or_nowhere():
    tokens = np.random.default_rng(0).integers(50, size=(8, 100))
    x = np.ones((8, 100, 3), "float32")
    layer = WordDropout(0.3, 50)
    found = np.asarray(layer(x, tokens, training=True))
    assert np.unique(np.round(found, 4)).tolist() == [0, np.float32(np.round(1 / 0.7, 4))]
    dropped = {int(t) for t in tokens[found[..., 0] == 0]}
    assert not dropped & {int(t) for t in tokens[found[..., 0] > 0]}
    shares = [
        np.mean(np.asarray(layer(np.ones((1, 50, 1)), np.arange(50)[None], training=True)) == 0) for _ in range(99)
    ]
    assert np.mean(shares) == pytest.approx(0.3, abs=0.02)  # 4950 draws: a standard error of 0.0065
    np.testing.assert_array_equal(layer(x, tokens), x)


def test_the_penalty_is_of_the_size_and_the_change():
    rng = np.random.default_rng(0)
    dropped, outputs = (rng.normal(size=(2, 4, 3)).astype("float32") for _ in range(2))
    layer = ActivityPenalty(2.0, 3.0)
    np.testing.assert_array_equal(layer(dropped, outputs, training=True), dropped)
    wanted = 2 * np.mean(dropped**2) + 3 * np.mean(np.diff(outputs, axis=1) ** 2)
    assert float(sum(layer.losses)) == pytest.approx(wanted, rel=1e-5)
    layer(dropped, outputs)
    assert not layer.losses  # nothing is added when scoring
    layer(dropped[:, :1], outputs[:, :1], training=True)
    assert np.isfinite(float(sum(layer.losses)))


def test_they_are_saved(tmp_path):
    tokens = keras.Input((None,), dtype="int32")
    x = WordDropout(0.3, 7)(keras.layers.Embedding(7, 4)(tokens), tokens)
    model = keras.Model(tokens, ActivityPenalty(1.0, 2.0)(x, x))
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again(np.array([[1, 2]])), model(np.array([[1, 2]])))
