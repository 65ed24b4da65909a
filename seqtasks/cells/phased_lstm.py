"""Phased LSTM."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.cells.initial_values import numpy_generator
from seqtasks.cells.registration import register_cell
from seqtasks.core.errors import ConfigError


@register_cell("phased_lstm", paper="https://arxiv.org/abs/1610.09513", year=2016, params="4*n*(m + n + 1) + 2*n")
class PhasedLSTM(Cell):
    r"""Phased LSTM, whose units are updated only while their periodic time gate is open.

    .. math::
        \phi &= ((T_t - s) \bmod \tau) / \tau \\
        k &= 2 \phi / r \quad (\phi < r / 2) \\
        k &= 2 - 2 \phi / r \quad (r / 2 \le \phi < r) \\
        k &= \alpha \phi \quad (\phi \ge r) \\
        i, f, g, o &= x_t W + h_{t-1} U + b \\
        \tilde c &= \sigma(f) \odot c_{t-1} + \sigma(i) \odot \tanh(g) \\
        c_t &= k \odot \tilde c + (1 - k) \odot c_{t-1} \\
        h_t &= k \odot \sigma(o) \odot \tanh(\tilde c) + (1 - k) \odot h_{t-1}

    T_t is the time of the step, the sum of all gaps so far; r is `open_ratio` and α is
    `leak`. W is `(features, 4 * units)`, U is `(units, 4 * units)` and b is
    `(4 * units,)`, with blocks in the gate order i, f, g, o. The period τ, of which
    the logarithm is trained, and the shift s are `(units,)`. The optional peephole
    connections of the paper are left out. Its leak is 0 in inference, here it is the
    same as in training.

    The states are h, the memory cell c and the phase, `(batch, units)` each, and start
    as zeros; h is also the output. The phase is (T_t mod τ) / τ, which stays below 1
    however long the sequence is. It counts time, so zoneout is not allowed.

    Args:
        units: Number of hidden units, at least 1.
        open_ratio: Fraction r of its period in which a gate is open, above 0 and at
            most 1; default 0.05.
        leak: Openness α of a closed gate, from 0 to 1; default 0.001. With 0 a unit
            without any step in its open phase gets no gradient.
        period_min: Shortest initial period, above 0, in the unit of the gaps; default
            1.
        period_max: Longest initial period, at least `period_min`; default 1000. The
            initial periods are log-uniform between the two, as in TensorFlow 1. They
            should not be much longer than the sequences.
        forget_bias: Initial bias of the forget gate; default 1.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1, or an option is out of its range.

    Reference:
        Neil, Pfeiffer & Liu, Phased LSTM: accelerating recurrent network training for
        long or event-based sequences (2016).
        https://arxiv.org/abs/1610.09513

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> x, gaps = np.zeros((2, 5, 3), "float32"), np.full((2, 5), 0.5, "float32")
        >>> layer = layers.Recurrent(cells.PhasedLSTM(8, period_max=10.0))
        >>> outputs, (h, c, phase) = layer(x, time_gaps=gaps)
        >>> tuple(outputs.shape), tuple(c.shape), tuple(phase.shape)
        ((2, 5, 8), (2, 8), (2, 8))
    """

    states = ("h", "c", "phase")
    uses_gaps = True
    counts_time = True

    def __init__(
        self,
        units: int,
        open_ratio: float = 0.05,
        leak: float = 0.001,
        period_min: float = 1.0,
        period_max: float = 1000.0,
        forget_bias: float = 1.0,
        **kwargs: Any,
    ):
        super().__init__(units, **kwargs)
        if not 0 < open_ratio <= 1:
            raise ConfigError(f"open_ratio is {open_ratio}; allowed: > 0 and ≤ 1")
        if not 0 <= leak <= 1:
            raise ConfigError(f"leak is {leak}; allowed: 0 to 1")
        if not 0 < period_min <= period_max:
            raise ConfigError(
                f"period_min is {period_min} and period_max is {period_max}; allowed: 0 < period_min ≤ period_max"
            )
        self.open_ratio = open_ratio
        self.leak = leak
        self.period_min = period_min
        self.period_max = period_max
        self.forget_bias = forget_bias

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        rng = numpy_generator()
        log_period = rng.uniform(np.log(self.period_min), np.log(self.period_max), n)
        self.W = self.add_kernel(m, 4 * n)
        self.U = self.add_recurrent(n, 4 * n)
        self.b = self.add_bias(4 * n, [0, self.forget_bias, 0, 0])
        self.log_period = self.add_bias(n, log_period, "log_period")
        self.shift = self.add_bias(n, rng.random(n) * np.exp(log_period), "shift")

    def project(self, x: Any) -> Any:
        x, gaps, _ = self.split_inputs(x)
        return ops.concatenate([x @ self.W + self.b, gaps * ops.exp(-self.log_period)], axis=-1)

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        h, c, phase = states
        n = self.units
        phase = phase + p[:, 4 * n :]
        phase = phase - ops.floor(phase)
        k = self.openness(phase - self.shift * ops.exp(-self.log_period))
        i, f, g, o = ops.split(p[:, : 4 * n] + self.dot(h, self.U), 4, axis=-1)
        updated = ops.sigmoid(f) * c + ops.sigmoid(i) * ops.tanh(g)
        h = k * ops.sigmoid(o) * ops.tanh(updated) + (1 - k) * h
        return h, [h, k * updated + (1 - k) * c, phase]

    def openness(self, phase: Any) -> Any:
        """Openness k of the time gates, from 0 to 1.

        Args:
            phase: Phase in periods, `(batch, units)`; whole periods make no difference.
        """
        phase = phase - ops.floor(phase)
        rising = 2 * phase / self.open_ratio
        closed = ops.where(phase < self.open_ratio, 2 - rising, self.leak * phase)
        return ops.where(phase < self.open_ratio / 2, rising, closed)
