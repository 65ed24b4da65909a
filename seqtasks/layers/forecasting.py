"""Layers that forecast series: lags, reversible normalisation, heads of quantiles, calibration of intervals."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from seqtasks.layers.implicit_mask import MaskedLayer

DECILES = tuple(round(0.1 * i, 1) for i in range(1, 10))
# Levels of the quantiles that a head gives; a Gaussian head gives mean and standard deviation in their place.
LEVELS = {"point": (0.1, 0.5, 0.9), "quantile": DECILES, "gaussian": ()}
_WIDTH = 0.25  # so that untrained deciles are about as wide as a standard deviation of 1


@keras.saving.register_keras_serializable("seqtasks")
class Lags(keras.layers.Layer):
    """The last values at each step: `x[t], x[t-1], …`.

    Before the first step stands its value. Only earlier steps are read; padding at the end changes nothing.

    Args:
        count: Number of lags, the step itself included.

    Example:
        >>> import numpy as np
        >>> from seqtasks.layers import Lags
        >>> np.array(Lags(2)(np.array([[[1.0], [2.0], [3.0]]])))[0, :, 0].tolist()
        [[1.0, 1.0], [2.0, 1.0], [3.0, 2.0]]
    """

    def __init__(self, count: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.count = count

    def call(self, x: Any) -> Any:
        """Returns the lags, `(batch, time, channels, count)`, of values `(batch, time, channels)`."""
        time, k = ops.shape(x)[1], self.count
        padded = ops.concatenate([ops.repeat(x[:, :1], k - 1, axis=1), x], axis=1) if k > 1 else x
        return ops.stack([padded[:, k - 1 - i : k - 1 - i + time] for i in range(k)], axis=-1)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (*input_shape, self.count)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "count": self.count}


@keras.saving.register_keras_serializable("seqtasks")
class ReversibleNorm(MaskedLayer):
    """Level and scale of each step, for reversible instance normalisation.

    They normalise what a network reads, and undo it on what it forecasts, with the statistics of the steps up to the
    present one only, so that every step can be the origin of a forecast. The level is the mean of the last `window`
    steps; the scale is the root mean square of the distances to the level so far, with a prior of `PRIOR` steps of
    scale `scale`.

    Masks: masked steps, which come last, have no part in the statistics.

    Reference: Kim et al. 2022, https://openreview.net/forum?id=cGDAkQo1C0p

    Args:
        window: Steps of the level, such as a season; 1: the last value.
        scale: Scale that is expected: that of the training series.

    Example:
        >>> import numpy as np
        >>> from seqtasks.layers import ReversibleNorm
        >>> level, scale = ReversibleNorm(2)(np.array([[[1.0], [3.0], [7.0]]]))
        >>> np.array(level)[0, :, 0].tolist()
        [1.0, 2.0, 5.0]
    """

    PRIOR = 4.0

    def __init__(self, window: int, scale: float = 1.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.window, self.scale = window, scale

    def call(self, x: Any, mask: Any = None) -> tuple[Any, Any]:
        """Returns level and scale, both `(batch, time, channels)`.

        Args:
            x: Values, `(batch, time, channels)`.
            mask: `(batch, time)`, true at valid steps; None: all are.
        """
        time, w = ops.shape(x)[1], self.window
        valid = ops.ones_like(x) if mask is None else ops.cast(ops.cast(mask, "bool"), x.dtype)[..., None] + 0 * x
        # Around the first value, as sums of large numbers lose the digits in which they differ.
        first = x[:, :1]
        off = (x - first) * valid
        total = ops.cumsum(off, axis=1)
        before = ops.pad(total, [[0, 0], [w, 0], [0, 0]])[:, :time]
        steps = ops.cast(ops.arange(1, time + 1), x.dtype)[None, :, None]
        level = first + (total - before) / ops.minimum(steps, float(w))
        gaps = x - level if w > 1 else x - ops.concatenate([first, x[:, :-1]], axis=1)
        squares = ops.cumsum(ops.square(gaps) * valid, axis=1)
        return level, ops.sqrt((squares + self.PRIOR * self.scale**2) / (ops.cumsum(valid, axis=1) + self.PRIOR))

    def compute_output_shape(self, x_shape: Any, mask_shape: Any = None) -> Any:
        return x_shape, x_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "window": self.window, "scale": self.scale}


@keras.saving.register_keras_serializable("seqtasks")
class ForecastHead(keras.layers.Layer):
    """Forecast of the next `horizon` values at each step: a base and a learnt correction.

        forecast = level + scale · (base + linear(lags) + dense(outputs))

    The base repeats the last value or the last season; a linear map of the lags, shared by the channels, is the
    autoregressive part of LSTNet, without which a network cannot follow a trend in few data. Both maps start near 0,
    so an untrained head gives the base. Masks: each step is read by itself.

    Reference: Lai et al. 2018, https://arxiv.org/abs/1703.07015

    Args:
        kind: `point`: a value, in an interval of fixed width that is to be calibrated; `quantile`: the nine deciles,
            which cannot cross; `gaussian`: mean and standard deviation.
        horizon: Number of steps ahead.
        base: Lag of the base forecast for each step ahead, (horizon,); empty: the level.
        linear: Number of lags of the linear map; 0: none.

    Example:
        >>> import numpy as np
        >>> from seqtasks.layers import ForecastHead, Lags
        >>> x, outputs = np.random.rand(1, 5, 2).astype("float32"), np.zeros((1, 5, 8), "float32")
        >>> level, scale = 0 * x, 1 + 0 * x
        >>> tuple(ForecastHead("quantile", 3, [0, 0, 0], 2)(outputs, Lags(2)(x), level, scale).shape)
        (1, 5, 3, 2, 9)
    """

    def __init__(self, kind: str, horizon: int, base: Any = (), linear: int = 0, **kwargs: Any):
        super().__init__(**kwargs)
        self.kind, self.horizon, self.base, self.linear = kind, horizon, list(base), linear

    @property
    def width(self) -> int:
        """Trained numbers of a forecast."""
        return {"point": 1, "quantile": len(DECILES), "gaussian": 2}[self.kind]

    def build(self, outputs_shape: Any, lags_shape: Any, *shapes: Any) -> None:
        self.channels = lags_shape[2]
        small = keras.initializers.RandomNormal(stddev=0.01)
        size = self.horizon * self.channels * self.width
        self.dense = keras.layers.Dense(size, kernel_initializer=small, name="dense", dtype="float32")
        self.dense.build(outputs_shape)
        if self.linear:
            self.map = self.add_weight((self.linear, self.horizon), initializer="zeros", name="linear", dtype="float32")

    def call(self, outputs: Any, lags: Any, level: Any, scale: Any) -> Any:
        """Returns forecasts, `(batch, time, horizon, channels, numbers)`.

        Args:
            outputs: Of the network, `(batch, time, size)`.
            lags: Normalised, `(batch, time, channels, count)`.
            level: `(batch, time, channels)`.
            scale: `(batch, time, channels)`.
        """
        raw = self.dense(outputs)
        batch, time = ops.shape(raw)[:2]
        raw = ops.reshape(raw, (batch, time, self.horizon, self.channels, self.width))
        middle = raw[..., self.width // 2] if self.kind == "quantile" else raw[..., 0]
        if self.linear:
            middle = middle + ops.einsum("btcl,lh->bthc", lags[..., : self.linear], self.map)
        if self.base:
            middle = middle + ops.stack([lags[..., lag] for lag in self.base], axis=2)
        parts = [middle]
        half = self.width // 2
        if self.kind == "gaussian":
            parts.append(ops.softplus(raw[..., 1]) + 1e-3)
        elif self.kind == "point":
            parts = [middle - 1.0, middle, middle + 1.0]
        else:
            above = below = middle
            for i in range(1, half + 1):
                above = above + _WIDTH * ops.softplus(raw[..., half + i])
                below = below - _WIDTH * ops.softplus(raw[..., half - i])
                parts = [below, *parts, above]
        scale, level = scale[:, :, None], level[:, :, None]
        if self.kind == "gaussian":
            return ops.stack([parts[0] * scale + level, parts[1] * scale], axis=-1)
        return ops.stack([part * scale + level for part in parts], axis=-1)

    def compute_output_shape(self, outputs_shape: Any, lags_shape: Any, *shapes: Any) -> Any:
        numbers = len(LEVELS[self.kind]) or 2
        return (*outputs_shape[:2], self.horizon, lags_shape[2], numbers)

    def get_config(self) -> dict[str, Any]:
        config = {"kind": self.kind, "horizon": self.horizon, "base": self.base, "linear": self.linear}
        return {**super().get_config(), **config}


@keras.saving.register_keras_serializable("seqtasks")
class IntervalCalibration(keras.layers.Layer):
    """Calibration of forecast intervals: a factor of their width for each step ahead.

    It acts at inference only. The factors are no trainable weights; `factors` is assigned after an epoch, so that
    intervals cover as much of the validation split as they should. Masks: each step is treated by itself.

    Reference: Romano et al. 2019, https://arxiv.org/abs/1905.03222

    Args:
        horizon: Number of factors; forecasts may have fewer steps.
        gaussian: Whether forecasts are means and standard deviations, not quantiles.

    Example:
        >>> import numpy as np
        >>> from seqtasks.layers import IntervalCalibration
        >>> layer = IntervalCalibration(1)
        >>> layer.build((None, None, 1, 1, 3))
        >>> _ = layer.factors.assign([2.0])
        >>> np.array(layer(np.array([-1.0, 0.0, 1.0]).reshape(1, 1, 1, 1, 3))).ravel().tolist()
        [-2.0, 0.0, 2.0]
    """

    def __init__(self, horizon: int, gaussian: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        self.horizon, self.gaussian = horizon, gaussian

    def build(self, input_shape: Any) -> None:
        self.factors = self.add_weight(
            (self.horizon,), initializer="ones", trainable=False, name="factors", dtype="float32"
        )

    def call(self, x: Any, training: bool = False) -> Any:
        """Returns calibrated forecasts.

        Args:
            x: Forecasts, `(batch, time, steps ahead, channels, numbers)`.
            training: Whether to return `x` as it is.
        """
        if training:
            return x
        factors = self.factors[: x.shape[2], None, None]
        if self.gaussian:
            return ops.concatenate([x[..., :1], x[..., 1:] * factors], axis=-1)
        middle = x[..., x.shape[-1] // 2, None]
        return middle + (x - middle) * factors

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "horizon": self.horizon, "gaussian": self.gaussian}
