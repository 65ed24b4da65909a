"""Losses against Keras's, NumPy's and PyTorch's."""

import keras
import numpy as np
import pytest

from seqtasks.layers.losses import SmoothedCrossentropy, TokenLoss

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(5, 4)).astype("float32")
TARGETS = np.array([0, 3, 2, 2, 1])


def by_hand(smoothing):
    p = np.exp(LOGITS - LOGITS.max(-1, keepdims=True))
    log_p = np.log(p / p.sum(-1, keepdims=True))
    target = np.full((5, 4), smoothing / 4)
    target[np.arange(5), TARGETS] += 1 - smoothing
    return -(target * log_p).sum(-1)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_the_formula(smoothing):
    loss = SmoothedCrossentropy(smoothing, reduction=None)
    np.testing.assert_allclose(loss(TARGETS, LOGITS), by_hand(smoothing), rtol=1e-5)
    np.testing.assert_allclose(SmoothedCrossentropy(smoothing)(TARGETS, LOGITS), by_hand(smoothing).mean(), rtol=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_it_equals_that_of_pytorch(smoothing):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle: pip install 'seqtasks[oracle]'")
    loss = torch.nn.functional.cross_entropy
    theirs = loss(torch.tensor(LOGITS), torch.tensor(TARGETS), label_smoothing=smoothing)
    np.testing.assert_allclose(SmoothedCrossentropy(smoothing)(TARGETS, LOGITS), theirs, rtol=1e-5)


def test_without_smoothing_it_is_that_of_keras():
    theirs = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(TARGETS, LOGITS)
    np.testing.assert_allclose(SmoothedCrossentropy(0.0)(TARGETS, LOGITS), theirs, rtol=1e-5)


def test_targets_in_a_column_are_the_same_targets():
    loss = SmoothedCrossentropy(0.1)
    np.testing.assert_allclose(loss(TARGETS[:, None], LOGITS), loss(TARGETS, LOGITS), rtol=1e-6)


def test_labels_of_every_step():
    logits, targets = np.stack([LOGITS, LOGITS[::-1]]), np.stack([TARGETS, TARGETS[::-1]])
    got = SmoothedCrossentropy(0.1, reduction=None)(targets, logits)
    np.testing.assert_allclose(got, np.stack([by_hand(0.1), by_hand(0.1)[::-1]]), rtol=1e-5)


def test_weights_of_zero_take_examples_out():
    weights = np.array([1, 0, 1, 0, 0], "float32")
    loss = SmoothedCrossentropy(0.1, reduction="mean_with_sample_weight")
    np.testing.assert_allclose(loss(TARGETS, LOGITS, sample_weight=weights), by_hand(0.1)[[0, 2]].mean(), rtol=1e-5)


def test_large_logits_stay_finite():
    huge = np.array([[1e4, -1e4]], "float32")
    np.testing.assert_allclose(SmoothedCrossentropy(0.0)(np.array([1]), huge), 2e4)


def test_it_is_saved():
    loss = SmoothedCrossentropy(0.2, name="mine")
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert (copy.smoothing, copy.name) == (0.2, "mine")


NLL = np.random.default_rng(3).exponential(size=(2, 3)).astype("float32")
WEIGHTS = np.array([[1, 1, 0], [1, 0, 0]], "float32")


def test_a_token_loss_is_the_mean_over_real_tokens():
    found = float(TokenLoss()(NLL, NLL, sample_weight=WEIGHTS))
    assert found == pytest.approx((NLL * WEIGHTS).sum() / 3, rel=1e-5)


def test_a_window_loss_is_summed_over_time():
    found = float(TokenLoss("window")(NLL, NLL, sample_weight=np.ones((2, 3), "float32")))
    assert found == pytest.approx(NLL.sum(axis=1).mean(), rel=1e-5)


def test_windows_of_other_length_count_by_their_length():
    ones = np.ones((2, 3), "float32")
    assert float(TokenLoss(window=6)(NLL, NLL, ones)) == pytest.approx(NLL.mean() / 2, rel=1e-5)


def test_a_token_loss_is_saved():
    loss = TokenLoss("window", 7)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert float(again(NLL, NLL, WEIGHTS)) == float(loss(NLL, NLL, WEIGHTS))
    assert again.window == 7
