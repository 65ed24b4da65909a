"""Multiplicative long short-term memory (mLSTM)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.cells.registration import register_cell


@register_cell("multiplicative_lstm", paper="https://arxiv.org/abs/1609.07959", year=2016, params="5*n*(m + n) + 4*n")
class MultiplicativeLSTM(Cell):
    r"""Multiplicative LSTM (mLSTM), whose recurrent matrix depends on the input.

    .. math::
        k &= (x_t W_k) \odot (h_{t-1} U_k) \\
        i, f, g, o &= x_t W + k U + b \\
        c_t &= \sigma(f) \odot c_{t-1} + \sigma(i) \odot \tanh(g) \\
        h_t &= \sigma(o) \odot \tanh(c_t)

    W_k and W are the blocks k, i, f, g, o of one kernel `(features, 5 * units)`,
    U_k is `(units, units)`, U is `(units, 4 * units)` and b is `(4 * units,)`, with
    blocks in the gate order i, f, g, o. The paper calls the intermediate state k m.

    The state h and the memory cell c are `(batch, units)` each and start as zeros;
    h is also the output.

    Args:
        units: Number of hidden units, at least 1.
        forget_bias: Initial bias of the forget gate; default 1.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1.

    Reference:
        Krause, Lu, Murray & Renals, Multiplicative LSTM for sequence modelling
        (2016).
        https://arxiv.org/abs/1609.07959

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> x = np.zeros((2, 5, 3), "float32")
        >>> outputs, (h, c) = layers.Recurrent(cells.MultiplicativeLSTM(8))(x)
        >>> tuple(outputs.shape), tuple(h.shape), tuple(c.shape)
        ((2, 5, 8), (2, 8), (2, 8))
    """

    states = ("h", "c")

    def __init__(self, units: int, forget_bias: float = 1.0, **kwargs: Any):
        super().__init__(units, **kwargs)
        self.forget_bias = forget_bias

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        self.W = self.add_kernel(m, 5 * n)
        self.Uk = self.add_recurrent(n, n, "recurrent_multiplier")
        self.U = self.add_recurrent(n, 4 * n)
        self.b = self.add_bias(4 * n, [0, self.forget_bias, 0, 0])

    def project(self, x: Any) -> Any:
        k, a = ops.split(x @ self.W, [self.units], axis=-1)
        return ops.concatenate([k, a + self.b], axis=-1)

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        h, c = states
        k, a = ops.split(p, [self.units], axis=-1)
        k = k * self.dot(h, self.Uk)
        i, f, g, o = ops.split(a + self.dot(k, self.U), 4, axis=-1)
        c = ops.sigmoid(f) * c + ops.sigmoid(i) * ops.tanh(g)
        h = ops.sigmoid(o) * ops.tanh(c)
        return h, [h, c]
