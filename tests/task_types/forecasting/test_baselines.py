import numpy as np
import pytest

from seqtasks.task_types.forecasting import baselines

SEASON = 4
WAVE = 20 + np.arange(80) * 0.1 + np.tile([0.0, 3.0, -2.0, 1.0], 20)


def test_the_seasonal_naive_forecast_by_hand():
    made = baselines.seasonal_naive(6, SEASON)(WAVE[:40])(WAVE[:50])
    np.testing.assert_allclose(made[:, 49], WAVE[[46, 47, 48, 49, 46, 47]])
    assert (np.diff(made, axis=1) > 0).all()
    width = made[:, -1] - made[:, 0]
    assert width[4] / width[0] == pytest.approx(np.sqrt(2))
    np.testing.assert_allclose(baselines.seasonal_naive(3, 1)(WAVE[:40])(WAVE[:50])[:, 49], WAVE[49])


@pytest.mark.skipif(baselines.statsmodels_reason() is not None, reason="needs statsmodels")
@pytest.mark.parametrize("method", [baselines.ets, baselines.ar])
def test_trend_and_season_are_continued(method):
    rng = np.random.default_rng(0)
    noisy = WAVE + rng.normal(0, 0.05, len(WAVE))
    made = method(6, SEASON)(noisy[:60])(noisy[:70])
    np.testing.assert_allclose(made[:, 49], WAVE[70:76], atol=0.35)
    assert ((made[:, 4] < WAVE[70:76]) & (WAVE[70:76] < made[:, -5])).mean() > 0.5


@pytest.mark.skipif(baselines.statsmodels_reason() is not None, reason="needs statsmodels")
@pytest.mark.parametrize("method", [baselines.ets, baselines.ar])
@pytest.mark.parametrize("length", [4, 9, 12])
def test_short_series_have_forecasts(method, length):
    made = method(3, 1)(np.cumsum(np.arange(length)) + 5.0)(np.cumsum(np.arange(length + 1)) + 5.0)
    assert made.shape == (3, len(baselines.GRID)) and np.isfinite(made).all()


def test_gaps_are_interpolated_and_each_origin_has_its_history():
    values = WAVE.copy()
    values[10:12] = np.nan
    np.testing.assert_allclose(baselines.filled(np.array([1.0, np.nan, 3.0])), [1, 2, 3])
    lengths = []

    def method(past):
        def forecast(history):
            lengths.append((len(past), len(history)))
            return np.zeros((2, len(baselines.GRID))) + history[-1]

        return forecast

    series = [values[:, None], np.stack([WAVE, -WAVE], axis=1)[:, :1]]
    made = baselines.rolled(method, series, np.array([1, 0, 1]), np.array([30, 40, 50]))
    assert sorted(lengths) == [(30, 30), (30, 50), (40, 40)]
    np.testing.assert_allclose(made.point[:, 0, 0], WAVE[[29, 39, 49]])
