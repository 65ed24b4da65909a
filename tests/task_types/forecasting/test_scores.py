from statistics import NormalDist

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics

from seqtasks.task_types.forecasting.scores import Forecasts, forecast_scores, naive_error

RNG = np.random.default_rng(0)
TARGETS = RNG.normal(10, 3, size=(40, 6, 2))
QUANTILES = np.sort(RNG.normal(10, 3, size=(40, 6, 2, 3)), axis=-1)
SCALE = RNG.uniform(1, 2, size=(40, 2))


def test_scores_are_those_of_scikit_learn():
    scores = forecast_scores(Forecasts(QUANTILES, (0.1, 0.5, 0.9)), TARGETS, SCALE)
    y, point = TARGETS.ravel(), QUANTILES[..., 1].ravel()
    assert scores["mae"] == pytest.approx(metrics.mean_absolute_error(y, point))
    assert scores["rmse"] == pytest.approx(metrics.root_mean_squared_error(y, point))
    weights = np.broadcast_to(1 / SCALE[:, None], TARGETS.shape).ravel()
    weighted = metrics.mean_absolute_error(y, point, sample_weight=weights) * weights.mean()
    assert scores["mase"] == pytest.approx(weighted)
    pinball = [metrics.mean_pinball_loss(y, QUANTILES[..., i].ravel(), alpha=a) for i, a in enumerate((0.1, 0.5, 0.9))]
    assert scores["crps"] == pytest.approx(2 * np.mean(pinball))
    assert scores["smape"] == pytest.approx(100 * np.mean(2 * np.abs(y - point) / (np.abs(y) + np.abs(point))))
    inside = [QUANTILES[i, h, c, 0] <= TARGETS[i, h, c] <= QUANTILES[i, h, c, 2] for i, h, c in np.ndindex(40, 6, 2)]
    assert scores["coverage_80"] == pytest.approx(np.mean(inside))


def test_missing_targets_are_left_out():
    targets = TARGETS.copy()
    targets[::2] = np.nan
    forecasts = Forecasts(QUANTILES, (0.1, 0.5, 0.9))
    half = Forecasts(QUANTILES[1::2], (0.1, 0.5, 0.9))
    assert forecast_scores(forecasts, targets, SCALE) == pytest.approx(
        forecast_scores(half, TARGETS[1::2], SCALE[1::2])
    )


def test_crps_of_a_normal_distribution_is_the_closed_form():
    mean, sd = RNG.normal(10, 1, size=TARGETS.shape), RNG.uniform(1, 4, size=TARGETS.shape)
    made = Forecasts.gaussian(mean, sd)
    z = (TARGETS - mean) / sd
    closed = sd * (z * (2 * stats.norm.cdf(z) - 1) + 2 * stats.norm.pdf(z) - 1 / np.sqrt(np.pi))
    scores = forecast_scores(made, TARGETS, SCALE)
    assert scores["crps"] == pytest.approx(closed.mean(), rel=0.015)
    np.testing.assert_allclose(made.point, mean)
    np.testing.assert_allclose(made.at(0.9), mean + NormalDist().inv_cdf(0.9) * sd)


def test_a_sample_of_the_forecast_is_covered():
    targets = RNG.normal(0, 2, size=(5000, 1, 1))
    made = Forecasts.gaussian(np.zeros((5000, 1, 1)), np.full((5000, 1, 1), 2.0))
    assert forecast_scores(made, targets, np.ones((5000, 1)))["coverage_80"] == pytest.approx(0.8, abs=0.02)


def test_the_scale_of_mase_by_hand():
    values = np.array([1.0, 5.0, 2.0, 8.0, np.nan, 8.0])[:, None]
    assert naive_error(values, 2)[0] == pytest.approx(np.mean([1, 3, 0]))
    assert naive_error(values, 1)[0] == pytest.approx(np.mean([4, 3, 6]))
    assert naive_error(values[:3], 12)[0] == pytest.approx(3.5)  # shorter than the season
    assert naive_error(np.full((5, 1), 4.0), 1)[0] == 1.0
