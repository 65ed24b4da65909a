"""Baselines of forecasts: the last value, the last season, ETS and AR of statsmodels."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable
from statistics import NormalDist
from typing import Any

import numpy as np

from seqtasks.core.arrays import FloatArray, IntArray
from seqtasks.task_types.forecasting.scores import GRID, Forecasts

LONG_SEASON = 24  # steps from which on the states of a season come from a decomposition
_Z = np.array([NormalDist().inv_cdf(level) for level in GRID])


def filled(values: FloatArray) -> FloatArray:
    """Values `(time,)` with missing ones interpolated."""
    present = np.flatnonzero(~np.isnan(values))
    if not len(present):
        return np.zeros_like(values)
    return np.interp(np.arange(len(values)), present, values[present])


def rolled(
    method: Callable[[FloatArray], Callable[[FloatArray], FloatArray]],
    series: list[FloatArray],
    which: IntArray,
    ends: IntArray,
) -> Forecasts:
    """Forecasts of a method from each origin.

    Args:
        method: Fits to the values before the first origin of a series, `(time,)`; returns a function of the values
            before any origin that gives quantiles `(horizon, levels)`.
        series: Values of each series, `(time, channels)`, NaN where missing.
        which: Number of the series of each origin, `(origins,)`.
        ends: Number of steps before it, `(origins,)`.
    """
    quantiles: list[Any] = [None] * len(which)
    for number in np.unique(which):
        rows = np.flatnonzero(which == number)
        values = series[number]
        channels = []
        for channel in range(values.shape[1]):
            one = filled(values[:, channel])
            forecast = method(one[: int(ends[rows].min())])
            channels.append([forecast(one[: int(ends[row])]) for row in rows])
        for i, row in enumerate(rows):
            quantiles[row] = np.stack([made[i] for made in channels], axis=1)
    return Forecasts(np.stack(quantiles), GRID)


def seasonal_naive(horizon: int, season: int) -> Callable[[FloatArray], Callable[[FloatArray], FloatArray]]:
    """The value of the last season, with the variance of its errors in the past; `season=1`: the last value."""

    def fit(past: FloatArray) -> Callable[[FloatArray], FloatArray]:
        lag = season if len(past) > season else 1
        errors = past[lag:] - past[:-lag]
        sd = float(np.sqrt(np.mean(errors**2))) if len(errors) else 0.0
        steps = np.arange(horizon)

        def forecast(history: FloatArray) -> FloatArray:
            middle = history[len(history) - lag + steps % lag]
            return np.asarray(middle[:, None] + sd * np.sqrt(1 + steps // lag)[:, None] * _Z)

        return forecast

    return fit


def statsmodels_reason() -> str | None:
    """Why statsmodels cannot be used; None: it can."""
    return None if importlib.util.find_spec("statsmodels") else "not installed"


def ets(horizon: int, season: int) -> Callable[[FloatArray], Callable[[FloatArray], FloatArray]]:
    """Exponential smoothing in state space form: errors, trend and season as the corrected AIC chooses.

    Trend and season are none or additive (the trend damped), for positive series multiplicative, too. Parameters are
    fitted to the past; from later origins the same parameters go on with the states. Intervals are those of a normal
    distribution with the standard deviation of the errors so many steps ahead in the past.

    Reference: Hyndman et al. 2002, https://doi.org/10.1016/S0169-2070(01)00110-8
    """

    def fit(past: FloatArray) -> Callable[[FloatArray], FloatArray]:
        from statsmodels.tsa.exponential_smoothing.ets import ETSModel

        seasonal = season > 1 and len(past) >= 2 * season + 2
        positive = bool((past > 0).all())
        start = "heuristic" if len(past) >= 10 and (not seasonal or season >= LONG_SEASON) else "estimated"
        errors = ["add", "mul"] if positive else ["add"]
        trends: list[tuple[Any, bool]] = [(None, False), ("add", False), ("add", True)] if len(past) > 5 else [
            (None, False)
        ]  # fmt: skip
        seasons: list[Any] = [None, "add", *(["mul"] if positive else [])] if seasonal else [None]
        if seasonal and season >= LONG_SEASON:
            seasons = seasons[1:]
        best: tuple[float, Any, Any] | None = None
        for error in errors:
            for trend, damped in trends:
                for kind in seasons:
                    if kind == "mul" and error == "add":
                        continue  # unstable, as in Hyndman's forecast package
                    settings = {"error": error, "trend": trend, "damped_trend": damped, "seasonal": kind}
                    settings |= {"seasonal_periods": season if kind else None, "initialization_method": start}
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore")
                        try:
                            fitted = ETSModel(past, **settings).fit(disp=False, maxiter=200)
                        except (ValueError, np.linalg.LinAlgError, ZeroDivisionError, FloatingPointError):
                            continue
                    quality = float(fitted.aicc)
                    if not np.isfinite(quality):
                        quality = float(fitted.aic)
                    if np.isfinite(quality) and (best is None or quality < best[0]):
                        best = quality, settings, fitted.params
        if best is None:
            return seasonal_naive(horizon, season)(past)
        _, settings, params = best

        def smoothed(history: FloatArray) -> Any:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return ETSModel(history, **settings).smooth(params)

        least = max(len(past) // 2, 10, 2 * season + 2 if seasonal else 0)  # statsmodels starts with ten values
        starts: list[int] = []
        if least < len(past) - 1:
            starts = np.unique(np.linspace(least, len(past) - 1, 20).astype(int)).tolist()
        ahead = [(past[s : s + horizon], np.asarray(smoothed(past[:s]).forecast(horizon))) for s in starts]
        errors_ahead = [[t - p for t, p in zip(*pair, strict=False)] for pair in ahead]
        sd = _growing(errors_ahead or [np.diff(past).tolist()], horizon)

        def forecast(history: FloatArray) -> FloatArray:
            return np.asarray(np.asarray(smoothed(history).forecast(horizon))[:, None] + sd[:, None] * _Z)

        return forecast

    return fit


def ar(horizon: int, season: int) -> Callable[[FloatArray], Callable[[FloatArray], FloatArray]]:
    """Autoregression with a trend, its order chosen by BIC, seasons by dummies; fitted to the past only."""

    def fit(past: FloatArray) -> Callable[[FloatArray], FloatArray]:
        from statsmodels.tsa.ar_model import AutoReg, ar_select_order

        seasonal = season > 1 and len(past) > 4 * season
        most = max(1, min(len(past) // 4, 24))
        if len(past) < 8:
            return seasonal_naive(horizon, season)(past)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            period = season if seasonal else None
            chosen = ar_select_order(past, most, ic="bic", trend="ct", seasonal=seasonal, period=period)
            settings = {"trend": "ct", "seasonal": seasonal, "period": season if seasonal else None}
            lags: Any = chosen.ar_lags if chosen.ar_lags is not None else 0
            fitted = AutoReg(past, lags, **settings).fit()
        error = float(np.sqrt(np.mean(fitted.resid**2)))
        impulse = np.ones(horizon)
        orders = [] if not lags else list(lags)
        weights = np.asarray(fitted.params)[len(fitted.params) - len(orders) :].tolist()
        coefficients = dict(zip(orders, weights, strict=True))
        for h in range(1, horizon):
            impulse[h] = sum(value * impulse[h - lag] for lag, value in coefficients.items() if lag <= h)
        sd = error * np.sqrt(np.cumsum(impulse**2))

        def forecast(history: FloatArray) -> FloatArray:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model = AutoReg(history, lags, **settings)
                middle = model.predict(fitted.params, start=len(history), end=len(history) + horizon - 1)
            return np.asarray(np.asarray(middle)[:, None] + sd[:, None] * _Z)

        return forecast

    return fit


def _growing(errors: list[list[float]], horizon: int) -> FloatArray:
    """Standard deviation of the errors of each step ahead, not falling, `(horizon,)`."""
    by_step = [[row[h] for row in errors if len(row) > h and np.isfinite(row[h])] for h in range(horizon)]
    sd = np.array([np.sqrt(np.mean(np.square(step))) if len(step) > 1 else 0.0 for step in by_step])
    return np.maximum.accumulate(sd)
