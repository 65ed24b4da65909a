"""Scalar long short-term memory (sLSTM) of xLSTM."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.cells.registration import register_cell


@register_cell("slstm", paper="https://arxiv.org/abs/2405.04517", year=2024, params="4*n*(m + n + 1)")
class SLSTM(Cell):
    r"""Scalar LSTM (sLSTM) of xLSTM, with an exponential input gate and a normalizer state.

    .. math::
        z, i, f, o &= x_t W + h_{t-1} U + b \\
        m_t &= \max(\log \sigma(f) + m_{t-1}, i) \\
        i' &= \exp(i - m_t), \quad f' = \exp(\log \sigma(f) + m_{t-1} - m_t) \\
        c_t &= f' \odot c_{t-1} + i' \odot \tanh(z), \quad n_t = f' \odot n_{t-1} + i' \\
        h_t &= \sigma(o) \odot c_t / n_t

    W is `(features, 4 * units)`, U is `(units, 4 * units)` and b is `(4 * units,)`,
    with blocks in the gate order z, i, f, o. The stabilizer m cancels in h; it only
    keeps the exponentials in range. While n is zero, which is at the first step,
    m_t is i. U is a full matrix, so there is one head, and the residual block
    around the cell is left out.

    The states h, c, n (normalizer) and m (stabilizer) are `(batch, units)` each and
    start as zeros; h is also the output.

    Args:
        units: Number of hidden units, at least 1.
        forget_bias: Initial bias of the forget gate; default 1.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1.

    Reference:
        Beck et al., xLSTM: Extended long short-term memory (2024).
        https://arxiv.org/abs/2405.04517

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> x = np.zeros((2, 5, 3), "float32")
        >>> outputs, states = layers.Recurrent(cells.SLSTM(8))(x)
        >>> tuple(outputs.shape), [tuple(state.shape) for state in states]
        ((2, 5, 8), [(2, 8), (2, 8), (2, 8), (2, 8)])
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
        f_exponent = ops.where(n > 0, ops.log_sigmoid(f) + m, i)
        m = ops.maximum(f_exponent, i)
        i, f = ops.exp(i - m), ops.exp(f_exponent - m)
        c, n = f * c + i * ops.tanh(z), f * n + i
        h = ops.sigmoid(o) * c / n
        return h, [h, c, n, m]
