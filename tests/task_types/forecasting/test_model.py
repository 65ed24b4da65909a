import dataclasses

import keras
import numpy as np
import pytest
from sklearn.metrics import mean_pinball_loss

from seqtasks import EncoderConfig
from seqtasks.layers import Encoder
from seqtasks.task_types.forecasting import model as models
from seqtasks.task_types.forecasting.settings import ForecastOptions

FACTS = models.Facts(2, 1, 3, 1, 4, 5, [0.0, 0.0], [10.0, -2.0], [3.0, 1.0], 1.0)


def made(**options):
    o = dataclasses.replace(ForecastOptions(), **{"base": "seasonal", "lags": 6, **options})
    keras.utils.set_random_seed(0)
    return models.forecast_model(Encoder(EncoderConfig(cell="gru", units=8)), FACTS, o, "forecast")


def arrays(time=12, batch=3, ahead=4, seed=0):
    rng = np.random.default_rng(seed)
    return {
        "steps": (10 + rng.normal(size=(batch, time, 2))).astype("float32"),
        "mask": np.ones((batch, time), bool),
        "measured": np.ones((batch, time, 1), "float32"),
        "known": rng.normal(size=(batch, time, 3 * ahead)).astype("float32"),
        "statics": rng.normal(size=(batch, 1)).astype("float32"),
    }


CASES = [("direct", 4, 4), ("step", 1, 1), ("rollout", 4, 4)]


@pytest.mark.a_third
@pytest.mark.parametrize("head", ["point", "quantile", "gaussian"])
@pytest.mark.parametrize(("strategy", "ahead", "steps"), CASES)
def test_shapes_and_padding(strategy, ahead, steps, head):
    model, inputs = made(strategy=strategy, head=head), arrays(ahead=ahead)
    whole = model.predict_on_batch(inputs)
    numbers = {"point": 3, "quantile": 9, "gaussian": 2}[head]
    assert whole.shape == (3, 1 if strategy == "rollout" else 12, steps, 2, numbers)
    pads = {name: [(0, 0), (0, 5), (0, 0)][: array.ndim] for name, array in inputs.items()}
    pads["statics"] = [(0, 0), (0, 0)]
    padded = {name: np.pad(array, pads[name]) for name, array in inputs.items()}
    again = model.predict_on_batch(padded)
    np.testing.assert_allclose(again if strategy == "rollout" else again[:, :12], whole, rtol=1e-4, atol=1e-4)


def test_no_step_reads_what_follows():
    model, inputs = made(), arrays()
    other = arrays(seed=1)
    changed = {name: np.concatenate([array[:, :6], other[name][:, 6:]], axis=1) if array.ndim == 3 else array
               for name, array in inputs.items()}  # fmt: skip
    before, after = model.predict_on_batch(inputs), model.predict_on_batch(changed)
    np.testing.assert_allclose(before[:, :6], after[:, :6], rtol=1e-5, atol=1e-5)
    assert not np.allclose(before[:, 6:], after[:, 6:], atol=1e-3)


@pytest.mark.parametrize(("strategy", "ahead", "steps"), CASES)
def test_an_untrained_model_repeats_the_last_season(strategy, ahead, steps):
    model, inputs = made(strategy=strategy, head="point"), arrays(ahead=ahead)
    model.get_layer("head").dense.kernel.assign(0 * model.get_layer("head").dense.kernel)
    point = model.predict_on_batch(inputs)[:, -1, :, :, 1]
    np.testing.assert_allclose(point, inputs["steps"][:, 7 : 7 + steps], rtol=1e-4)


def test_levels_far_from_the_training_series_are_followed():
    model, inputs = made(), arrays()
    far = inputs | {"steps": inputs["steps"] + 100}
    difference = model.predict_on_batch(far) - model.predict_on_batch(inputs)
    np.testing.assert_allclose(difference, 100, atol=0.05)


def test_base_forecasts():
    assert models.base_lags("seasonal", 3, 1) == [0, 0, 0]
    series = np.arange(20.0)
    lags = models.base_lags("seasonal", 9, 4)
    assert [series[19 - lag] for lag in lags] == [16, 17, 18, 19, 16, 17, 18, 19, 16]


def test_losses_are_those_of_the_field():
    rng = np.random.default_rng(0)
    targets = rng.normal(size=(2, 3, 4, 1, 1)).astype("float32")
    quantiles = np.sort(rng.normal(size=(2, 3, 4, 1, 9)).astype("float32"))
    loss = np.array(models.quantile_loss(targets, quantiles))
    assert loss.shape == (2, 3, 4, 1)
    pinball = [mean_pinball_loss(targets.ravel(), quantiles[..., i].ravel(), alpha=(i + 1) / 10) for i in range(9)]
    assert loss.mean() == pytest.approx(2 * np.mean(pinball), rel=1e-5)
    from scipy import stats

    mean, sd = quantiles[..., 0], np.abs(quantiles[..., 1]) + 0.1
    nll = np.array(models.gaussian_loss(targets, np.stack([mean, sd], axis=-1)))
    np.testing.assert_allclose(nll, -stats.norm.logpdf(targets[..., 0], mean, sd), rtol=1e-4)
    np.testing.assert_allclose(np.array(models.absolute_error(targets, quantiles[..., :3])),
                               np.abs(targets[..., 0] - quantiles[..., 1]))  # fmt: skip
