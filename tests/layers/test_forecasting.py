import keras
import numpy as np
import pytest

from seqtasks.layers import ForecastHead, IntervalCalibration, Lags, ReversibleNorm
from seqtasks.layers.forecasting import DECILES

X = np.cumsum(np.random.default_rng(0).normal(size=(3, 9, 2)), axis=1).astype("float32")


def test_lags_are_the_steps_before():
    lags = np.array(Lags(3)(X))
    assert lags.shape == (3, 9, 2, 3)
    np.testing.assert_array_equal(lags[:, 4, :, 2], X[:, 2])
    np.testing.assert_array_equal(lags[:, 0, :, 2], X[:, 0])


def test_level_and_scale_by_hand():
    level, scale = (np.array(part) for part in ReversibleNorm(3, 0.5)(X))
    mean = np.array([X[0, max(0, t - 2) : t + 1, 1].mean() for t in range(9)])
    np.testing.assert_allclose(level[0, :, 1], mean, rtol=1e-4, atol=1e-5)
    squares = np.cumsum((X[0, :, 1] - mean) ** 2)
    expected = np.sqrt((squares + 4 * 0.25) / (np.arange(1, 10) + 4))
    np.testing.assert_allclose(scale[0, :, 1], expected, rtol=1e-4)
    level, scale = (np.array(part) for part in ReversibleNorm(1)(X))
    np.testing.assert_allclose(level, X, rtol=1e-5)
    steps = np.diff(X[0, :, 0], prepend=X[0, 0, 0])
    np.testing.assert_allclose(scale[0, :, 0], np.sqrt((np.cumsum(steps**2) + 4) / (np.arange(1, 10) + 4)), rtol=1e-4)


@pytest.mark.parametrize("window", [1, 3])
def test_later_steps_and_padding_change_no_statistics(window):
    layer, mask = ReversibleNorm(window), np.arange(12) < 9
    whole = layer(X)
    padded = layer(np.pad(X, [(0, 0), (0, 3), (0, 0)], constant_values=50), mask=np.tile(mask, (3, 1)))
    begin = layer(X[:, :5])
    for a, b, c in zip(whole, padded, begin, strict=True):
        np.testing.assert_allclose(np.array(a), np.array(b)[:, :9], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(np.array(a)[:, :5], np.array(c), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["point", "quantile", "gaussian"])
def test_heads(kind):
    outputs = np.random.default_rng(1).normal(size=(3, 9, 4)).astype("float32") * 30
    head = ForecastHead(kind, 2, [0, 1], 2)
    level, scale = X * 0 + 7, X * 0 + 2
    lags = (np.array(Lags(2)(X)) - 7) / 2
    made = np.array(head(outputs, lags, level, scale))
    assert made.shape == (3, 9, 2, 2, {"point": 3, "quantile": 9, "gaussian": 2}[kind])
    assert tuple(head.compute_output_shape(outputs.shape, lags.shape)) == made.shape
    middle = made[..., made.shape[-1] // 2 if kind != "gaussian" else 0]
    if kind == "gaussian":
        assert (made[..., 1] > 0).all()
    else:
        assert (np.diff(made, axis=-1) > 0).all()  # quantiles do not cross
    head.dense.kernel.assign(np.zeros(head.dense.kernel.shape))
    calm = np.array(head(outputs, lags, level, scale))
    middle = calm[..., 0] if kind == "gaussian" else calm[..., calm.shape[-1] // 2]
    np.testing.assert_allclose(middle[:, :, 0], X, rtol=1e-4, atol=1e-4)  # the base: the last value
    np.testing.assert_allclose(middle[:, 1:, 1], X[:, :-1], rtol=1e-4, atol=1e-4)  # and the one before it
    head.map.assign([[1.0, 0.0], [0.0, 0.0]])
    moved = np.array(head(outputs, lags, level, scale))
    np.testing.assert_allclose(moved[:, :, 0] - calm[:, :, 0], np.repeat((X - 7)[..., None], calm.shape[-1], -1) *
                               ([1, 0] if kind == "gaussian" else 1), atol=1e-3)  # fmt: skip


def test_calibration_keeps_the_median_and_training():
    forecasts = np.random.default_rng(0).normal(size=(2, 3, 4, 1, 9)).cumsum(axis=-1).astype("float32")
    layer = IntervalCalibration(4)
    np.testing.assert_allclose(np.array(layer(forecasts)), forecasts, atol=1e-6)
    layer.factors.assign([2.0, 1.0, 1.0, 0.5])
    made = np.array(layer(forecasts))
    np.testing.assert_array_equal(made[..., 4], forecasts[..., 4])
    np.testing.assert_allclose(made[:, :, 3] - made[:, :, 3, :, 4:5], (forecasts[:, :, 3] -
                               forecasts[:, :, 3, :, 4:5]) / 2, atol=1e-6)  # fmt: skip
    np.testing.assert_array_equal(np.array(layer(forecasts, training=True)), forecasts)
    assert not layer.trainable_weights
    gaussian = IntervalCalibration(4, gaussian=True)
    gaussian.build((None, None, 4, 1, 2))
    gaussian.factors.assign([3.0] * 4)
    np.testing.assert_allclose(np.array(gaussian(forecasts[..., :2])), forecasts[..., :2] * [1, 3], rtol=1e-6)


def test_they_come_back_from_their_configuration():
    layers = [Lags(2), ReversibleNorm(3, 0.5), ForecastHead("point", 2, [0, 0], 1), IntervalCalibration(2, True)]
    for layer in layers:
        again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
        assert type(again) is type(layer) and again.get_config() == layer.get_config()
    assert len(DECILES) == 9
