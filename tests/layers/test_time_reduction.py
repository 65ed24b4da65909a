"""Joined steps: what stands where, odd lengths, padding, saving."""

import keras
import numpy as np
import pytest

from seqtasks.core.config import EncoderConfig
from seqtasks.layers.encoder import Encoder
from seqtasks.layers.speech import TimeReduction, joined_mask


def rows(lengths, time, size=3, fill=np.nan):
    x = np.full((len(lengths), time, size), fill, "float32")
    for i, n in enumerate(lengths):
        x[i, :n] = np.random.default_rng(i).normal(size=(n, size))
    return x, np.arange(time)[None] < np.array(lengths)[:, None]


@pytest.mark.parametrize("factor", [1, 2, 3])
@pytest.mark.parametrize("time", [1, 4, 5])
def test_steps_are_concatenated_and_the_last_is_padded_with_zeros(factor, time):
    x, _ = rows([time], time)
    found = np.array(TimeReduction(factor)(x))
    steps = -(-time // factor)
    expected = np.concatenate([x, np.zeros((1, steps * factor - time, 3), "float32")], 1).reshape(1, steps, -1)
    np.testing.assert_array_equal(found, expected)
    assert TimeReduction(factor).compute_output_shape((1, time, 3)) == found.shape


def test_outputs_do_not_depend_on_values_at_padding():
    lengths = [5, 4, 1, 0]
    for time in (5, 6, 9):
        x, mask = rows(lengths, time)
        found, real = np.array(TimeReduction(2)(x, mask=mask)), np.array(joined_mask(mask, 2))
        assert real.sum(axis=1).tolist() == [3, 2, 1, 0] and real.shape == found.shape[:2]
        assert not found[~real].any() and np.isfinite(found).all()
        for i, n in enumerate(lengths):
            alone = np.array(TimeReduction(2)(x[i : i + 1, :n])) if n else np.zeros((1, 0, 6))
            np.testing.assert_array_equal(found[i, : -(-n // 2)], alone[0])


def test_a_pyramid_of_encoders_is_saved_and_gives_the_same_with_more_padding(tmp_path):
    inputs, steps = keras.Input((None, 3)), keras.Input((None,), dtype="bool")
    settings = EncoderConfig(cell="gru", units=4, bidirectional=True)
    x, mask = inputs, steps
    for _ in range(2):
        x, _ = Encoder(settings)(x, mask=mask)
        x, mask = TimeReduction(2)(x, mask=mask), joined_mask(mask, 2)
    x, _ = Encoder(settings)(x, mask=mask)
    model = keras.Model([inputs, steps], x)
    short, long = (model.predict(list(rows([7, 6, 2], time, fill=1.0)), verbose=0) for time in (7, 12))
    assert short.shape == (3, 2, 8) and long.shape == (3, 3, 8)
    np.testing.assert_allclose(long[:, :2], short, atol=1e-6)
    assert not long[:, 2].any()
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded.predict(list(rows([7, 6, 2], 7, fill=1.0)), verbose=0), short, atol=1e-6)


def test_a_factor_below_one_is_refused():
    with pytest.raises(ValueError, match="factor is 0; allowed: 1 or more"):
        TimeReduction(0)
