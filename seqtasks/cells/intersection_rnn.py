"""Intersection RNN, with gates over depth and over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.cells.registration import register_cell


@register_cell("intersection_rnn", paper="https://arxiv.org/abs/1611.09913", year=2016, params="5*m*n + 4*n*n + 4*n")
class IntersectionRNN(Cell):
    r"""Intersection RNN (+RNN), with one gate over time and one over depth.

    .. math::
        \tilde y &= \max(0, x_t W_y + h_{t-1} U_y + b_y) \\
        \tilde h &= \tanh(x_t W_h + h_{t-1} U_h + b_h) \\
        k, g &= \sigma(x_t W_{kg} + h_{t-1} U_{kg} + b_{kg}) \\
        y_t &= k \odot (x_t V) + (1 - k) \odot \tilde y \\
        h_t &= g \odot h_{t-1} + (1 - g) \odot \tilde h

    W is `(features, 4 * units)`, U is `(units, 4 * units)` and b is `(4 * units,)`,
    with blocks in the order y, h, k, g; V is `(features, units)`. The depth gate k
    of the paper passes x itself, which needs as many features as units; here it
    passes x V.

    The state h is `(batch, units)` and starts as zeros. The output is y.

    Args:
        units: Number of hidden units, at least 1.
        gate_bias: Initial bias of both gates; default 1. Above 0, they at first
            pass more of x V and of the previous state than of the new candidates.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1.

    Reference:
        Collins, Sohl-Dickstein & Sussillo, Capacity and trainability in recurrent
        neural networks (2016).
        https://arxiv.org/abs/1611.09913

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> x = np.zeros((2, 5, 3), "float32")
        >>> outputs, (h,) = layers.Recurrent(cells.IntersectionRNN(8))(x)
        >>> tuple(outputs.shape), tuple(h.shape)
        ((2, 5, 8), (2, 8))
    """

    def __init__(self, units: int, gate_bias: float = 1.0, **kwargs: Any):
        super().__init__(units, **kwargs)
        self.gate_bias = gate_bias

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        self.W = self.add_kernel(m, 4 * n)
        self.U = self.add_recurrent(n, 4 * n)
        self.b = self.add_bias(4 * n, [0, 0, self.gate_bias, self.gate_bias])
        self.V = self.add_kernel(m, n, "skip_kernel")

    def project(self, x: Any) -> Any:
        return ops.concatenate([x @ self.W + self.b, x @ self.V], axis=-1)

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        (h,) = states
        n = self.units
        y, new, k, g = ops.split(p[:, : 4 * n] + self.dot(h, self.U), 4, axis=-1)
        k, g = ops.sigmoid(k), ops.sigmoid(g)
        y = k * p[:, 4 * n :] + (1 - k) * ops.relu(y)
        h = g * h + (1 - g) * ops.tanh(new)
        return y, [h]
