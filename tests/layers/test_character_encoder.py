"""Words from characters: padding changes nothing, and what is saved comes back."""

import keras
import numpy as np
import pytest

from seqtasks.layers.character_encoder import CharacterWords

WORDS = np.array([[2, 3, 4, 0, 0], [5, 0, 0, 0, 0], [2, 2, 3, 4, 5]], "int32")


@pytest.mark.parametrize("how", ["rnn", "cnn"])
def test_padding_and_neighbours_change_nothing(how):
    layer = CharacterWords(6, units=4, how=how)
    found = np.asarray(layer(WORDS))
    assert found.shape == (3, 8) == (3, layer.output_size)
    np.testing.assert_allclose(layer(np.pad(WORDS, ((0, 0), (0, 3)))), found, atol=1e-6)
    np.testing.assert_allclose(layer(WORDS[:1, :3])[0], found[0], atol=1e-6)
    assert not np.allclose(layer(WORDS[:, ::-1] * (WORDS[:, ::-1] > 0))[0], found[0])


@pytest.mark.parametrize("how", ["rnn", "cnn"])
def test_it_is_saved(tmp_path, how):
    given = keras.Input((None,), dtype="int32")
    model = keras.Model(given, CharacterWords(6, units=4, how=how, cell="gru")(given))
    model.save(tmp_path / "model.keras")
    np.testing.assert_allclose(keras.models.load_model(tmp_path / "model.keras")(WORDS), model(WORDS), atol=1e-6)
