"""Settings of forecasts, and the facts about series that a run keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from seqtasks.core.settings import setting
from seqtasks.data.spec import Spec


@dataclass(frozen=True)
class ForecastOptions:
    """What is forecast, how far ahead, how a forecast is scored, and the model.

    Example:
        >>> from seqtasks.task_types import ForecastOptions
        >>> ForecastOptions(horizon=24).strategy
        'direct'
    """

    horizon: int = setting(12, "number of steps ahead", ge=1)
    season: int | None = setting(
        None, "steps of the season, of which MASE and base=seasonal depend; null: that of the dates; 1: none", ge=1
    )
    test_steps: int | None = setting(
        None,
        "steps at the end of each series for test, and as many before them for validation; null: a fifth of the "
        "series, at least the horizon, and just the horizon with ten series or more",
        ge=1,
    )
    origins: int = setting(50, "number of rolling origins of each series in validation and test at most", ge=1)
    layout: Literal["auto", "long", "wide"] = setting(
        "auto", "layout of a table: long: a row for each step; wide: a row for each series"
    )
    id: str | None = setting(None, "column of series ids in a long table; null: guessed; -: there is none", column=True)
    time: str | None = setting(None, "column of times in a long table; null: guessed; -: there is none", column=True)
    channels: tuple[str, ...] = setting(
        (), "columns to forecast; []: all columns of numbers without another role", column=True
    )
    known: tuple[str, ...] = setting(
        (), "columns of covariates that are known in advance, such as holidays", column=True
    )
    statics: tuple[str, ...] = setting((), "columns of numbers that belong to a series as a whole", column=True)
    ignore: tuple[str, ...] = setting((), "columns that are not read")
    calendar: bool = setting(True, "features of dates: place in the year, the week and the day")
    strategy: Literal["direct", "step", "rollout"] = setting(
        "direct",
        "direct: each step forecasts all steps ahead; step: each step forecasts the next one, and forecasts are fed "
        "back; rollout: a decoder that is trained to go on from its own forecasts",
        affects_data=False,
    )
    head: Literal["quantile", "point", "gaussian"] = setting(
        "quantile", "what is forecast: nine deciles, a point (absolute error), or a normal distribution",
        affects_data=False,
    )  # fmt: skip
    normalization: Literal["revin", "none"] = setting(
        "revin", "revin: reversible normalisation by level and scale of the steps so far", affects_data=False
    )
    base: Literal["auto", "seasonal", "last", "level"] = setting(
        "auto",
        "forecast that the network corrects: the value of the last season, the last value, or the level; auto: "
        "seasonal where there is a season, else last",
        affects_data=False,
    )
    lags: int | None = setting(
        None, "number of last values in a linear map beside the network; 0: no such map; null: a season and one, at "
        "least 4 and at most 60", ge=0, affects_data=False,
    )  # fmt: skip
    transform: Literal["auto", "none", "log"] = setting(
        "auto", "log: the model works with logarithms; auto: where the spread of positive series grows with the level"
    )
    window: int | None = setting(
        None, "number of steps that are read before a forecast; null: three seasons, two horizons and 24 at least",
        ge=2,
    )  # fmt: skip
    dropout: float = setting(0.0, "dropout rate on the outputs of the encoder", ge=0, lt=1, affects_data=False)


@dataclass(frozen=True)
class ForecastPredictOptions:
    """Options of `seqtasks predict` for forecasts.

    Example:
        >>> from seqtasks.task_types import ForecastPredictOptions
        >>> ForecastPredictOptions(horizon=24, plot="fan.png").horizon
        24
    """

    horizon: int | None = setting(None, "number of steps ahead; null: as in training", ge=1)
    plot: str | None = setting(
        None, "file of a fan chart of the forecasts, such as fan.png; null: no chart", output=(".png", ".pdf", ".svg")
    )


@dataclass(frozen=True, kw_only=True)
class ForecastSpec(Spec):
    """Facts about series to forecast.

    Attributes:
        channels: Names of the channels that are forecast.
        known: Names of the columns that are known in advance.
        statics: Names of the static covariates.
        frequency: Name, season, months and gap of the dates, see `seqtasks.data.series.frequency.Frequency`.
        season: Steps of the season; 1: none.
        horizon: Steps ahead.
        window: Steps that are read before a forecast.
        lags: Lags of the linear map.
        log_floors: Smallest value of each channel that a logarithm is taken of; 0: the model sees the values.
        mean: Means of channels, then of `known`, then of `statics`, in original units.
        sd: Their standard deviations.
        scaled_mean: Mean of each channel as the model has it, of logarithms where it has a floor.
        scaled_sd: Standard deviation of each channel as the model has it.
        spread: Scale that is expected around the level, in units of `scaled_sd`.
        measured: Numbers of the channels with missing values.
        features: Number of the calendar features.
        roles: Roles of the columns of a table, for prediction; None: another format.
        counts: Number of windows of the training split, and of origins of the others.

    Example:
        >>> from seqtasks.task_types import ForecastSpec
        >>> names = {"channels": ["x"], "known": [], "statics": [], "measured": [], "counts": {}, "frequency": {}}
        >>> sizes = {"season": 12, "horizon": 12, "window": 36, "lags": 13, "log_floors": [0.0], "features": 0}
        >>> facts = {"mean": [0.0], "sd": [1.0], "scaled_mean": [0.0], "scaled_sd": [1.0], "spread": 1.0}
        >>> spec = ForecastSpec(**names, **sizes, **facts)
        >>> ForecastSpec.from_dict(spec.to_dict()) == spec
        True
    """

    channels: Sequence[str]
    known: Sequence[str]
    statics: Sequence[str]
    frequency: Mapping[str, Any]
    season: int
    horizon: int
    window: int
    lags: int
    log_floors: Sequence[float]
    mean: Sequence[float]
    sd: Sequence[float]
    scaled_mean: Sequence[float]
    scaled_sd: Sequence[float]
    spread: float
    measured: Sequence[int]
    features: int
    roles: Mapping[str, Any] | None = field(default_factory=lambda: None)
    counts: Mapping[str, int]
