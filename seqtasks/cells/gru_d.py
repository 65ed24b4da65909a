"""GRU with trainable decays (GRU-D)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.cells.registration import register_cell


@register_cell(
    "gru_d",
    paper="https://arxiv.org/abs/1606.01865",
    year=2018,
    params="3*n*(2*m + n + 1) + 2*m + n*(m + 1)",
)
class GRUD(Cell):
    r"""GRU with decay (GRU-D), for features that are not observed at every step.

    .. math::
        \delta &= \Delta_t + e_{t-1} \\
        \hat x &= m_t \odot x_t + (1 - m_t) \odot (\bar x
            + \exp(-\max(0, \delta \odot w_x + b_x)) \odot u_{t-1}) \\
        \hat h &= \exp(-\max(0, \delta W_h + b_h)) \odot h_{t-1} \\
        z, r &= \sigma(\hat x W_{zr} + m_t V_{zr} + \hat h U_{zr} + b_{zr}) \\
        \tilde h &= \tanh(\hat x W + m_t V + (r \odot \hat h) U + b) \\
        h_t &= z \odot \hat h + (1 - z) \odot \tilde h \\
        u_t &= m_t \odot (x_t - \bar x) + (1 - m_t) \odot u_{t-1} \\
        e_t &= (1 - m_t) \odot \delta

    Δ_t is the gap since the step before, and m_t the observation mask, 1 where a feature
    was observed. A missing value decays from the last observation towards the mean x̄ of
    its feature, and the state decays with the time δ since each feature was observed.

    W and V are `(features, 3 * units)`, U is `(units, 3 * units)` and b is
    `(3 * units,)`, with blocks in the gate order z, r, h. The decay weights w_x and b_x
    are `(features,)`, W_h is `(features, units)` and b_h is `(units,)`. As in `gru`, z
    is the weight of the previous state; in the paper it is that of the candidate. w_x
    starts at 0.1, because a decay of 0 or below gets no gradient. The mean x̄ is a
    weight `feature_mean`, `(features,)`, that is not trained and starts as zeros: right
    for standardized features, else set `cell.feature_mean.assign(means)` once the cell
    is built.

    The state h is `(batch, units)` and also the output. The last observation less its
    mean, u (`last`), and the time since a feature was observed, e (`elapsed`), are
    `(batch, features)` each. All start as zeros. Since e counts time, zoneout is not
    allowed. Inputs that are not observed may be NaN.

    Args:
        units: Number of hidden units, at least 1.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1.

    Reference:
        Che, Purushotham, Cho, Sontag & Liu, Recurrent neural networks for multivariate
        time series with missing values (2018).
        https://arxiv.org/abs/1606.01865

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> x = np.array([[[1.0, np.nan], [np.nan, 2.0], [3.0, 4.0]]], "float32")
        >>> gaps = np.array([[0.0, 0.5, 2.0]], "float32")
        >>> outputs, (h, last, elapsed) = layers.Recurrent(cells.GRUD(8))(
        ...     x, time_gaps=gaps, observed=~np.isnan(x)
        ... )
        >>> tuple(outputs.shape), tuple(last.shape), tuple(elapsed.shape)
        ((1, 3, 8), (1, 2), (1, 2))
    """

    states = ("h", "last", "elapsed")
    uses_gaps = True
    uses_observed = True
    counts_time = True

    def __init__(self, units: int, **kwargs: Any):
        super().__init__(units, **kwargs)
        self.features = 0  # set by `build`

    @property
    def state_size(self) -> list[int]:
        """Widths of the states; those of `last` and `elapsed` are 0 until the cell is built."""
        return [self.units, self.features, self.features]

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        assert m is not None
        self.features = m
        self.W = self.add_kernel(m, 3 * n)
        self.V = self.add_kernel(m, 3 * n, "mask_kernel")
        self.U = self.add_recurrent(n, 3 * n)
        self.b = self.add_bias(3 * n)
        self.input_decay = self.add_bias(m, 0.1, "input_decay")
        self.input_decay_bias = self.add_bias(m, name="input_decay_bias")
        self.hidden_decay = self.add_kernel(m, n, "hidden_decay")
        self.hidden_decay_bias = self.add_bias(n, name="hidden_decay_bias")
        self.feature_mean = self.add_weight((m,), "zeros", trainable=False, name="feature_mean")

    def project(self, x: Any) -> Any:
        x, gaps, observed = self.split_inputs(x)
        return ops.concatenate([observed @ self.V + self.b, x, observed, gaps], axis=-1)

    def prepare(self) -> dict[str, Any]:
        n = self.units
        return {"U_zr": self.U[:, : 2 * n], "U_h": self.U[:, 2 * n :]}

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        h, last, elapsed = states
        n = self.units
        x, gaps, observed = self.split_inputs(p[:, 3 * n :])
        missing, elapsed = 1 - observed, gaps + elapsed
        decayed = self.feature_mean + _decay(elapsed * self.input_decay + self.input_decay_bias) * last
        h = h * _decay(elapsed @ self.hidden_decay + self.hidden_decay_bias)
        a = p[:, : 3 * n] + (observed * x + missing * decayed) @ self.W
        z, r = ops.split(ops.sigmoid(a[:, : 2 * n] + self.dot(h, self.prepared("U_zr"))), 2, axis=-1)
        h = z * h + (1 - z) * ops.tanh(a[:, 2 * n :] + self.dot(r * h, self.prepared("U_h")))
        return h, [h, observed * (x - self.feature_mean) + missing * last, missing * elapsed]


def _decay(rate: Any) -> Any:
    """Factor exp(-max(0, rate)), at most 1."""
    return ops.exp(-keras.activations.relu(rate))
