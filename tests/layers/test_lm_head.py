"""The output layer of a language model, tied and not, and in a saved model."""

import keras
import numpy as np
import pytest

from seqtasks.layers.metrics import log_softmax
from seqtasks.layers.softmax_heads import SoftmaxHead


def test_given_targets_it_is_their_negative_log_likelihood():
    head, x = SoftmaxHead(7), np.random.default_rng(0).normal(size=(2, 3, 5)).astype("float32")
    targets = np.array([[0, 6, 2], [1, 1, 5]])
    wanted = -np.take_along_axis(log_softmax(head(x)), targets[..., None], axis=-1)[..., 0]
    np.testing.assert_allclose(head(x, targets), wanted, atol=1e-5)
    np.testing.assert_allclose(head(x[:, 0]), head(x)[:, 0], atol=1e-6)


def test_it_is_saved_with_the_embedding_it_shares(tmp_path):
    tokens = keras.Input((None,), dtype="int32")
    embedding = keras.layers.Embedding(7, 4, name="embedding")
    model = keras.Model(tokens, SoftmaxHead(7, embedding, name="head")(embedding(tokens)))
    assert model.count_params() == 7 * 4 + 7
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    x = np.array([[1, 2, 6]])
    np.testing.assert_allclose(again(x), model(x), atol=1e-6)
    table = np.ones((7, 4), "float32")
    again.get_layer("embedding").embeddings.assign(table)
    np.testing.assert_allclose(again(x), np.full((1, 3, 7), 4.0))  # one matrix, read by both
    assert again.count_params() == model.count_params()


def test_another_width_is_refused():
    with pytest.raises(ValueError, match="inputs are 5 wide; allowed: 4"):
        SoftmaxHead(7, keras.layers.Embedding(7, 4)).build((None, None, 5))
