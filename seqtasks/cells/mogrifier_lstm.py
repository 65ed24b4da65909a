"""Mogrifier LSTM."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.cells.registration import register_cell
from seqtasks.core.errors import ConfigError


@register_cell(
    "mogrifier_lstm", paper="https://arxiv.org/abs/1909.01792", year=2019, params="4*n*(m + n + 1) + rounds*m*n"
)
class MogrifierLSTM(Cell):
    r"""Mogrifier LSTM, whose input and state first gate each other in several rounds.

    .. math::
        x &\leftarrow 2 \sigma(h Q_j) \odot x \quad \text{for odd } j \\
        h &\leftarrow 2 \sigma(x R_j) \odot h \quad \text{for even } j, \quad j = 1 … \text{rounds} \\
        i, f, g, o &= x W + h U + b \\
        c_t &= \sigma(f) \odot c_{t-1} + \sigma(i) \odot \tanh(g) \\
        h_t &= \sigma(o) \odot \tanh(c_t)

    At first x is x_t and h is h_{t-1}. Each Q_j is `(units, features)` and each R_j
    is `(features, units)`; W is `(features, 4 * units)`, U is `(units, 4 * units)`
    and b is `(4 * units,)`, with blocks in the gate order i, f, g, o. The matrices
    Q and R are full, not products of low rank.

    The state h and the memory cell c are `(batch, units)` each and start as zeros;
    h is also the output.

    Args:
        units: Number of hidden units, at least 1.
        rounds: Number of gating rounds, at least 0; default 5. With 0 rounds the
            cell is `lstm`.
        forget_bias: Initial bias of the forget gate; default 1.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1, or `rounds` is negative.

    Reference:
        Melis, Kočiský & Blunsom, Mogrifier LSTM (2019).
        https://arxiv.org/abs/1909.01792

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> x = np.zeros((2, 5, 3), "float32")
        >>> outputs, (h, c) = layers.Recurrent(cells.MogrifierLSTM(8, rounds=2))(x)
        >>> tuple(outputs.shape), tuple(h.shape), tuple(c.shape)
        ((2, 5, 8), (2, 8), (2, 8))
    """

    states = ("h", "c")

    def __init__(self, units: int, rounds: int = 5, forget_bias: float = 1.0, **kwargs: Any):
        super().__init__(units, **kwargs)
        if rounds < 0:
            raise ConfigError(f"rounds is {rounds}; allowed: ≥ 0")
        self.rounds = rounds
        self.forget_bias = forget_bias

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        self.Q = [self.add_recurrent(n, m, f"recurrent_x_gate_{j}") for j in range(1, self.rounds + 1, 2)]
        self.R = [self.add_kernel(m, n, f"h_gate_{j}") for j in range(2, self.rounds + 1, 2)]
        self.W = self.add_kernel(m, 4 * n)
        self.U = self.add_recurrent(n, 4 * n)
        self.b = self.add_bias(4 * n, [0, self.forget_bias, 0, 0])

    def project(self, x: Any) -> Any:
        return x

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        x, (h, c) = p, states
        for j in range(self.rounds):
            if j % 2 == 0:
                x = 2 * ops.sigmoid(self.dot(h, self.Q[j // 2])) * x
            else:
                h = 2 * ops.sigmoid(x @ self.R[j // 2]) * h
        i, f, g, o = ops.split(x @ self.W + self.dot(h, self.U) + self.b, 4, axis=-1)
        c = ops.sigmoid(f) * c + ops.sigmoid(i) * ops.tanh(g)
        h = ops.sigmoid(o) * ops.tanh(c)
        return h, [h, c]
