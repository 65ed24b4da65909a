"""Language model: backward encoder, parts, saving, projected embedding table."""

import itertools

import keras
import numpy as np
import pytest

from seqtasks.core.config import EncoderConfig
from seqtasks.layers.encoder import Encoder
from seqtasks.layers.metrics import log_softmax
from seqtasks.task_types.language_modeling.model import LanguageModelParts, forced, language_model, with_backward
from seqtasks.task_types.language_modeling.task import LanguageOptions

TOKENS = np.array([[3, 1, 4, 1, 5], [2, 7, 1, 8, 2], [6, 6, 2, 6, 0]], np.int32)


def inputs(tokens):
    return [tokens, np.ones(len(tokens), bool), (tokens + 1) % 9]


def built(adaptive, **encoder):
    keras.utils.set_random_seed(0)
    config = EncoderConfig(**{"cell": "gru", "units": 6, **encoder})
    options = LanguageOptions(embedding_dim=5, adaptive=adaptive)
    return language_model(Encoder(config, stateful=True, max_batch=8, name="encoder"), 9, options, "texts")


@pytest.mark.parametrize(("adaptive", "layers"), itertools.product([None, (4,)], [1, 2]))
def test_each_token_is_predicted_from_those_after_it(adaptive, layers):
    plain = built(adaptive, layers=layers)
    model = with_backward(plain)
    nll = model(inputs(TOKENS), training=True)
    np.testing.assert_allclose(nll, plain(inputs(TOKENS)), atol=1e-6)
    (auxiliary_loss,) = model.losses

    embedding, backward, head = (model.get_layer(name) for name in ("embedding", "backward", "head"))
    expected = []
    for row, t in itertools.product(TOKENS, range(1, TOKENS.shape[1])):
        following = row[t:][::-1][None]  # from the last token to t
        out, _ = backward(embedding(following), return_sequences=False)
        logits = keras.ops.convert_to_numpy(head(out))[0]
        expected.append(-log_softmax(logits)[row[t - 1]])
    np.testing.assert_allclose(auxiliary_loss, np.mean(expected), rtol=1e-5)


def test_scores_and_logits_are_those_of_the_forward_encoder():
    plain = built(None)
    model = with_backward(plain)
    assert len(model.trainable_variables) > len(plain.trainable_variables)
    model(inputs(TOKENS))
    assert not model.losses
    np.testing.assert_array_equal(forced(model)(inputs(TOKENS)[:2]), forced(plain)(inputs(TOKENS)[:2]))
    nll = model(inputs(TOKENS[:, :1]), training=True)  # a window of one token has none to predict backward
    assert np.isfinite(nll).all() and float(model.losses[0]) == 0


def test_it_is_saved(tmp_path):
    model = with_backward(built((4,)))
    expected = model(inputs(TOKENS))
    model.save(tmp_path / "model.keras")
    loaded_model = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded_model(inputs(TOKENS)), expected, atol=1e-6)
    backward, loaded = (LanguageModelParts.of(one).backward for one in (model, loaded_model))
    np.testing.assert_array_equal(loaded.get_weights()[0], backward.get_weights()[0])


def test_parts_are_those_of_the_model():
    plain = built(None)
    parts = LanguageModelParts.of(plain)
    assert parts.backward is None and parts.encoder.output_size == 6 and parts.embedding.output_dim == 5
    tokens, reset, _ = inputs(TOKENS)
    logits = parts.head(parts.encoder(parts.embedding(tokens), reset=reset)[0])
    np.testing.assert_allclose(logits, forced(plain)([tokens, reset]), atol=1e-5)
    assert LanguageModelParts.of(with_backward(plain)).encoder is parts.encoder


def test_the_table_of_a_large_vocabulary_is_not_projected(monkeypatch):
    from seqtasks.task_types.language_modeling import model as module

    small = built(None)
    monkeypatch.setattr(module, "MOST_ROWS", 8)
    large = built(None)
    large.set_weights(small.get_weights())
    shapes = [
        [tuple(tensor.shape) for tensor in keras.tree.flatten(m.get_layer("encoder").input)] for m in (small, large)
    ]
    assert (9, 5) in shapes[0] and (9, 5) not in shapes[1]
    np.testing.assert_allclose(small(inputs(TOKENS)), large(inputs(TOKENS)), atol=1e-6)
