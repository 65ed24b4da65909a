"""Continuous-time LSTM."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.cells.registration import register_cell


@register_cell("ct_lstm", paper="https://arxiv.org/abs/1612.09328", year=2017, params="7*n*(m + n + 1)")
class CTLSTM(Cell):
    r"""Continuous-time LSTM, whose memory cell decays towards a target between the steps.

    .. math::
        \hat c &= \bar c_{t-1} + (c_{t-1} - \bar c_{t-1}) \odot \exp(-\delta_{t-1} \Delta_t) \\
        \hat h &= o_{t-1} \odot \tanh(\hat c) \\
        i, f, g, o, \bar i, \bar f, d &= x_t W + \hat h U + b \\
        c_t &= \sigma(f) \odot \hat c + \sigma(i) \odot (2 \sigma(g) - 1) \\
        \bar c_t &= \sigma(\bar f) \odot \bar c_{t-1} + \sigma(\bar i) \odot (2 \sigma(g) - 1) \\
        \delta_t &= \log(1 + \exp(d)) \\
        o_t &= \sigma(o) \\
        h_t &= o_t \odot \tanh(c_t)

    Δ_t is the gap since the step before, over which c decays exponentially, each unit
    at its rate δ. W is `(features, 7 * units)`, U is `(units, 7 * units)` and b is
    `(7 * units,)`, with blocks in the order i, f, g, o, ī, f̄, d. In the paper this
    cell gives the intensities of a point process, which are not part of it here.

    The states are the memory cell c, its target c̄ (`c_bar`), the rate δ (`decay`) and
    the output gate o, `(batch, units)` each, and start as zeros. The output is h right
    after the step.

    Args:
        units: Number of hidden units, at least 1.
        forget_bias: Initial bias of the two forget gates f and f̄; default 1.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1.

    Reference:
        Mei & Eisner, The neural Hawkes process: a neurally self-modulating multivariate
        point process (2017).
        https://arxiv.org/abs/1612.09328

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> x, gaps = np.zeros((2, 5, 3), "float32"), np.full((2, 5), 0.5, "float32")
        >>> outputs, states = layers.Recurrent(cells.CTLSTM(8))(x, time_gaps=gaps)
        >>> tuple(outputs.shape), [tuple(state.shape) for state in states]
        ((2, 5, 8), [(2, 8), (2, 8), (2, 8), (2, 8)])
    """

    states = ("c", "c_bar", "decay", "o")
    uses_gaps = True

    def __init__(self, units: int, forget_bias: float = 1.0, **kwargs: Any):
        super().__init__(units, **kwargs)
        self.forget_bias = forget_bias

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        self.W = self.add_kernel(m, 7 * n)
        self.U = self.add_recurrent(n, 7 * n)
        self.b = self.add_bias(7 * n, [0, self.forget_bias, 0, 0, 0, self.forget_bias, 0])

    def project(self, x: Any) -> Any:
        x, gaps, _ = self.split_inputs(x)
        return ops.concatenate([x @ self.W + self.b, gaps], axis=-1)

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        c, c_bar, decay, o = states
        p, gaps = p[:, :-1], p[:, -1:]
        c = c_bar + (c - c_bar) * ops.exp(-decay * gaps)
        h = o * ops.tanh(c)
        i, f, g, o, i_bar, f_bar, d = ops.split(p + self.dot(h, self.U), 7, axis=-1)
        g, o = 2 * ops.sigmoid(g) - 1, ops.sigmoid(o)
        c = ops.sigmoid(f) * c + ops.sigmoid(i) * g
        c_bar = ops.sigmoid(f_bar) * c_bar + ops.sigmoid(i_bar) * g
        return o * ops.tanh(c), [c, c_bar, ops.softplus(d), o]
