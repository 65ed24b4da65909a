"""Losses against Keras's, NumPy's and PyTorch's."""

import keras
import numpy as np
import pytest

from seqtasks.layers.losses import MultiLabelCrossentropy, ScaledSquaredError, SmoothedCrossentropy, TokenLoss

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


# Several targets at each step.
STEPS = np.random.default_rng(0)
OUTPUTS = STEPS.normal(0, 3, (2, 5, 3)).astype("float32")
LABELS = STEPS.integers(0, 2, (2, 5, 3)).astype("float32")
NUMBERS = STEPS.normal(0, 3, (2, 5, 3)).astype("float32")


def test_several_labels_are_the_mean_of_binary_cross_entropies():
    theirs = keras.losses.BinaryCrossentropy(from_logits=True, reduction=None)(LABELS, OUTPUTS)
    np.testing.assert_allclose(MultiLabelCrossentropy(reduction=None)(LABELS, OUTPUTS), theirs, rtol=1e-5)
    np.testing.assert_allclose(MultiLabelCrossentropy()(LABELS, OUTPUTS), np.mean(theirs), rtol=1e-5)


def test_the_error_of_numbers_is_in_units_of_their_variance():
    variance = np.array([1.0, 4.0, 0.25])
    by_hand = ((NUMBERS - OUTPUTS) ** 2 / variance).mean(axis=-1)
    np.testing.assert_allclose(ScaledSquaredError(variance, reduction=None)(NUMBERS, OUTPUTS), by_hand, rtol=1e-5)


LOSSES = [(MultiLabelCrossentropy, (), LABELS), (ScaledSquaredError, ([1.0, 4.0, 0.25],), NUMBERS)]


@pytest.mark.parametrize(("cls", "arguments", "targets"), LOSSES)
def test_unknown_targets_count_neither_way_and_have_no_gradient(cls, arguments, targets):
    partial = targets.copy()
    partial[0, 1, 2], partial[1, 3] = np.nan, np.nan
    got = np.asarray(cls(*arguments, reduction=None)(partial, OUTPUTS))
    each = []
    for k in range(3):
        loss = cls(*(values[k : k + 1] for values in arguments), reduction=None)
        each.append(np.asarray(loss(targets[..., k : k + 1], OUTPUTS[..., k : k + 1])))
    assert got[0, 1] == pytest.approx((each[0][0, 1] + each[1][0, 1]) / 2, rel=1e-5)
    assert got[1, 3] == 0 and np.isfinite(got).all()
    moved = OUTPUTS.copy()
    moved[0, 1, 2] += 5
    moved[1, 3] -= 7
    np.testing.assert_array_equal(cls(*arguments, reduction=None)(partial, moved), got)


@pytest.mark.parametrize(("cls", "arguments", "targets"), LOSSES)
def test_padding_changes_nothing_in_losses_of_several_targets(cls, arguments, targets):
    wide = [
        np.concatenate([a, np.full((2, 4, 3), fill, "float32")], axis=1)
        for a, fill in ((targets, np.nan), (OUTPUTS, 9.0))
    ]
    weights = np.concatenate([np.ones((2, 5), "float32"), np.zeros((2, 4), "float32")], axis=1)
    loss = cls(*arguments)
    np.testing.assert_allclose(loss(*wide, sample_weight=weights), loss(targets, OUTPUTS), rtol=1e-6)


@pytest.mark.parametrize(("cls", "arguments", "targets"), LOSSES)
def test_losses_of_several_targets_are_saved(cls, arguments, targets):
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(cls(*arguments)))
    np.testing.assert_allclose(copy(targets, OUTPUTS), cls(*arguments)(targets, OUTPUTS))
