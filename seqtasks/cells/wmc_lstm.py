"""Long short-term memory (LSTM) with working memory connections."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.cells.registration import register_cell


@register_cell("wmc_lstm", paper="https://arxiv.org/abs/2109.00020", year=2021, params="4*n*(m + n + 1) + 3*n*n")
class WMCLSTM(Cell):
    r"""LSTM with working memory connections: bounded peepholes through full matrices.

    .. math::
        a_i, a_f, a_g, a_o &= x_t W + h_{t-1} U + b \\
        i, f &= \sigma(a_i + \tanh(c_{t-1} V_i)), \sigma(a_f + \tanh(c_{t-1} V_f)) \\
        c_t &= f \odot c_{t-1} + i \odot \tanh(a_g) \\
        o &= \sigma(a_o + \tanh(c_t V_o)) \\
        h_t &= o \odot \tanh(c_t)

    W is `(features, 4 * units)`, U is `(units, 4 * units)` and b is `(4 * units,)`,
    with blocks in the gate order i, f, g, o; V is `(units, 3 * units)`, with blocks
    in the order i, f, o.

    The state h and the memory cell c are `(batch, units)` each and start as zeros;
    h is also the output.

    Args:
        units: Number of hidden units, at least 1.
        forget_bias: Initial bias of the forget gate; default 1.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1.

    Reference:
        Landi, Baraldi, Cornia & Cucchiara, Working memory connections for LSTM
        (2021).
        https://arxiv.org/abs/2109.00020

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> x = np.zeros((2, 5, 3), "float32")
        >>> outputs, (h, c) = layers.Recurrent(cells.WMCLSTM(8))(x)
        >>> tuple(outputs.shape), tuple(h.shape), tuple(c.shape)
        ((2, 5, 8), (2, 8), (2, 8))
    """

    states = ("h", "c")

    def __init__(self, units: int, forget_bias: float = 1.0, **kwargs: Any):
        super().__init__(units, **kwargs)
        self.forget_bias = forget_bias

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        self.W = self.add_kernel(m, 4 * n)
        self.U = self.add_recurrent(n, 4 * n)
        self.V = self.add_recurrent(n, 3 * n, "recurrent_memory")
        self.b = self.add_bias(4 * n, [0, self.forget_bias, 0, 0])

    def project(self, x: Any) -> Any:
        return x @ self.W + self.b

    def prepare(self) -> dict[str, Any]:
        n = self.units
        return {"V_if": self.V[:, : 2 * n], "V_o": self.V[:, 2 * n :]}

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        h, c = states
        ai, af, ag, ao = ops.split(p + self.dot(h, self.U), 4, axis=-1)
        ci, cf = ops.split(ops.tanh(self.dot(c, self.prepared("V_if"))), 2, axis=-1)
        c = ops.sigmoid(af + cf) * c + ops.sigmoid(ai + ci) * ops.tanh(ag)
        h = ops.sigmoid(ao + ops.tanh(self.dot(c, self.prepared("V_o")))) * ops.tanh(c)
        return h, [h, c]
