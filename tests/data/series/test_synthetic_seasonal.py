import numpy as np

from seqtasks.data.series.synthetic_seasonal import PHI, SEASON, best_mase, seasonal


def test_it_is_the_same_each_time():
    first, second = seasonal("builtin:months"), seasonal("builtin:seasonal")
    assert first.fingerprint == second.fingerprint
    series = first.parts["train"]
    assert len(series) == 20 and set(series.values.lengths) == {144} and series.dated


def test_the_best_mase_is_that_of_the_best_forecast():
    rng, steps = np.random.default_rng(0), 200_000
    shocks, x = rng.normal(size=steps), np.zeros(steps)
    for t in range(1, steps):
        x[t] = PHI * x[t - 1] + shocks[t]
    origins = np.arange(100, steps - SEASON)
    errors = [np.abs(x[origins + h] - PHI**h * x[origins]).mean() for h in range(1, SEASON + 1)]
    scale = np.abs(x[SEASON:] - x[:-SEASON]).mean()
    np.testing.assert_allclose(np.mean(errors) / scale, best_mase(SEASON), rtol=0.01)
