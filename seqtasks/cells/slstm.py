"""The scalar long short-term memory of xLSTM."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from seqtasks.cells.base import Cell, register_cell


@register_cell("slstm", paper="https://arxiv.org/abs/2405.04517", year=2024, params="4*n*(m + n + 1)")
class SLSTM(Cell):
    r"""Scalar LSTM of xLSTM, with an exponential input gate and a normaliser.

    .. math::
        z, i, f, o &= x_t W + h_{t-1} U + b \\
        m_t &= \max(\log \sigma(f) + m_{t-1}, i) \\
        i' &= \exp(i - m_t), \quad f' = \exp(\log \sigma(f) + m_{t-1} - m_t) \\
        c_t &= f' \odot c_{t-1} + i' \odot \tanh(z), \quad n_t = f' \odot n_{t-1} + i' \\
        h_t &= \sigma(o) \odot c_t / n_t

    W is (features, 4 units), U is (units, 4 units), b is (4 units,), in the gate order
    z, i, f, o. m cancels in h and only keeps the exponentials in range; while n is zero,
    at the first step, m is i. U is full: one head, without the block around the cell.

    Reference: Beck et al., xLSTM: Extended long short-term memory (2024).

    Args:
        units: width of the states.
        forget_bias: initial bias of the forget gate.
    """

    states = ("h", "c", "n", "m")

    def __init__(self, units: int, forget_bias: float = 1.0, **kwargs: Any):
        super().__init__(units, **kwargs)
        self.forget_bias = forget_bias

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        self.W = self.add_kernel(m, 4 * n)
        self.U = self.add_recurrent(n, 4 * n)
        self.b = self.add_bias(4 * n, [0, 0, self.forget_bias, 0])

    def project(self, x: Any) -> Any:
        return x @ self.W + self.b

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        h, c, n, m = states
        z, i, f, o = ops.split(p + self.dot(h, self.U), 4, axis=-1)
        kept = ops.where(n > 0, ops.log_sigmoid(f) + m, i)
        m = ops.maximum(kept, i)
        i, f = ops.exp(i - m), ops.exp(kept - m)
        c, n = f * c + i * ops.tanh(z), f * n + i
        h = ops.sigmoid(o) * c / n
        return h, [h, c, n, m]
