"""Model of forecasts: normalised lags, encoder, head; and the losses of the heads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from seqtasks.layers.encoder import Encoder
from seqtasks.layers.forecasting import LEVELS, ForecastHead, IntervalCalibration, Lags, ReversibleNorm
from seqtasks.layers.pooling import Pooling

CALIBRATION = "calibration"  # name of the layer, by which a saved model finds it again


@dataclass(frozen=True)
class Facts:
    """What a model of forecasts has to know of its data.

    Attributes:
        channels: Number of channels.
        measured: Number of channels with an input that is 1 where a value was measured.
        known: Number of covariates that are known in advance, at each step ahead.
        statics: Number of static covariates.
        horizon: Steps ahead.
        season: Steps of the season; 1: none.
        log_floors: Smallest value of each channel that a logarithm is taken of; 0: none is taken.
        mean: Mean of each channel as the model sees it, `(channels,)`.
        sd: Standard deviation of each channel, `(channels,)`.
        spread: Scale that is expected around the level, in units of `sd`.
    """

    channels: int
    measured: int
    known: int
    statics: int
    horizon: int
    season: int
    log_floors: Sequence[float]
    mean: Sequence[float]
    sd: Sequence[float]
    spread: float


def base_lags(base: str, horizon: int, season: int) -> list[int]:
    """The lag of the base forecast for each step ahead.

    Example:
        >>> base_lags("seasonal", 5, 4), base_lags("last", 2, 4), base_lags("level", 2, 4)
        ([3, 2, 1, 0, 3], [0, 0], [])
    """
    if base == "level":
        return []
    if base == "last":
        return [0] * horizon
    return [season * math.ceil(h / season) - h for h in range(1, horizon + 1)]


def forecast_model(encoder: Encoder, facts: Facts, options: Any, name: str) -> keras.Model:
    """Scaling, normalised lags, encoder, head.

    Args:
        encoder: Of the steps.
        facts: Of the data.
        options: `ForecastOptions`, with `base`, `lags` and `normalization` decided.
        name: Of the model.

    Returns:
        A model of `steps` in original units `(batch, time, channels)`, `mask`, and where there are such `measured`,
        `known` and `statics`. It gives forecasts `(batch, time, ahead, channels, numbers)` of each step, or, rolled
        on, of the last one: quantiles, or mean and standard deviation; of logarithms where the channel has a floor.
    """
    o, rolled = options, options.strategy == "rollout"
    ahead = facts.horizon if o.strategy == "direct" else 1
    tensors = {
        "steps": keras.Input((None, facts.channels), name="steps"),
        "mask": keras.Input((None,), name="mask", dtype="bool"),
    }
    if facts.measured:
        tensors["measured"] = keras.Input((None, facts.measured), name="measured")
    if facts.known:
        seen = facts.horizon if rolled else ahead
        tensors["known"] = keras.Input((None, facts.known * seen), name="known")
    if facts.statics:
        tensors["statics"] = keras.Input((facts.statics,), name="statics")
    mask = tensors["mask"]
    steps = _logarithms(tensors["steps"], facts.log_floors)
    normal = keras.layers.Normalization(mean=list(facts.mean), variance=[sd**2 for sd in facts.sd], name="scaled")
    x = normal(steps)
    if o.normalization == "revin":
        window = facts.season if facts.season > 1 and o.base != "last" else 1
        level, scale = ReversibleNorm(window, facts.spread, name="norm")(x, mask=mask)
    else:
        level, scale = ops.zeros_like(x), ops.ones_like(x)
    base = base_lags(o.base, facts.horizon, facts.season)
    count = max([o.lags, 2, 1 + facts.season * (facts.season > 1), *(lag + 1 for lag in base)])
    lags = (Lags(count, name="lags")(x) - level[..., None]) / scale[..., None]
    head = ForecastHead(o.head, ahead, base[:ahead], o.lags, name="head")
    dropout = keras.layers.Dropout(o.dropout)

    def last(x: Any) -> Any:
        """The last valid step, `(batch, size)`."""
        return Pooling("last")(x, mask=mask)

    def inputs(lags: Any, like: Any, step: int | None) -> Any:
        """Features of each step; of the step `step` ahead, when rolled on."""
        parts = [lags[..., 0], lags[..., 0] - lags[..., 1]]
        if facts.season > 1:
            parts.append(lags[..., 0] - lags[..., facts.season])
        if facts.measured:
            parts.append(tensors["measured"] if step is None else ops.ones_like(like[..., : facts.measured]))
        if facts.known:
            begin = 0 if step is None else step * facts.known
            known = tensors["known"]
            if step is not None:
                known = last(known)[:, None]
            parts.append(known[..., begin : begin + facts.known] if rolled else known)
        if facts.statics:
            parts.append(ops.zeros_like(like[..., :1]) + tensors["statics"][:, None])
        return ops.concatenate(parts, axis=-1)

    outputs, states = encoder(inputs(lags, x, None), mask=mask)
    if not rolled:
        forecasts = head(dropout(outputs), lags, level, scale)
    else:
        size = facts.channels * count
        flat = keras.layers.Reshape((-1, size))(lags)
        lags = ops.reshape(last(flat), (-1, 1, facts.channels, count))
        level, scale = last(level)[:, None], last(scale)[:, None]
        output, made = last(outputs)[:, None], []
        for step in range(facts.horizon):
            made.append(head(dropout(output), lags, level, scale))
            if step + 1 < facts.horizon:
                middle = made[-1][:, :, 0, :, median(o.head)]
                lags = ops.concatenate([((middle - level) / scale)[..., None], lags[..., :-1]], axis=-1)
                output, states = encoder(inputs(lags, level, step + 1), initial_state=states)
        forecasts = ops.concatenate(made, axis=2)
    forecasts = IntervalCalibration(facts.horizon, o.head == "gaussian", name=CALIBRATION)(forecasts)
    sd, mean = (ops.reshape(ops.convert_to_tensor(list(values), "float32"), (facts.channels, 1))
                for values in (facts.sd, facts.mean))  # fmt: skip
    if o.head == "gaussian":
        forecasts = ops.concatenate([forecasts[..., :1] * sd + mean, forecasts[..., 1:] * sd], axis=-1)
    else:
        forecasts = forecasts * sd + mean
    return keras.Model(list(tensors.values()), forecasts, name=name)


def _logarithms(steps: Any, floors: Sequence[float]) -> Any:
    """`seqtasks.data.series.logarithms.to_logarithms` of tensors `(batch, time, channels)`."""
    if not any(floors):
        return steps
    made = ops.log(ops.maximum(steps, ops.convert_to_tensor([floor or 1.0 for floor in floors], "float32")))
    return made if all(floors) else ops.where(ops.convert_to_tensor([floor > 0 for floor in floors]), made, steps)


def median(head: str) -> int:
    """Number of the median, or of the mean, among the numbers of a forecast."""
    return len(LEVELS[head]) // 2


def absolute_error(targets: Any, forecasts: Any) -> Any:
    """Absolute error of a point in an interval, `(batch, time, ahead, channels)`."""
    return ops.abs(targets[..., 0] - forecasts[..., 1])


def quantile_loss(targets: Any, forecasts: Any) -> Any:
    """Mean quantile loss over the deciles, twice, which is about the CRPS."""
    levels = ops.convert_to_tensor(LEVELS["quantile"], forecasts.dtype)
    behind = targets - forecasts
    return 2 * ops.mean(ops.maximum(levels * behind, (levels - 1) * behind), axis=-1)


def gaussian_loss(targets: Any, forecasts: Any) -> Any:
    """Negative log-likelihood of a normal distribution."""
    mean, sd = forecasts[..., 0], forecasts[..., 1]
    return ops.log(sd) + ops.square((targets[..., 0] - mean) / sd) / 2 + 0.5 * math.log(2 * math.pi)


LOSSES = {"point": absolute_error, "quantile": quantile_loss, "gaussian": gaussian_loss}
