"""Long short-term memory (LSTM) with peephole connections."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.cells.registration import register_cell


@register_cell(
    "peephole_lstm", paper="https://www.jmlr.org/papers/v3/gers02a.html", year=2002, params="4*n*(m + n + 1) + 3*n"
)
class PeepholeLSTM(Cell):
    r"""LSTM with peephole connections from the memory cell to the gates.

    .. math::
        i, f, g, o &= x_t W + h_{t-1} U + b \\
        c_t &= \sigma(f + P_f \odot c_{t-1}) \odot c_{t-1} + \sigma(i + P_i \odot c_{t-1}) \odot \tanh(g) \\
        h_t &= \sigma(o + P_o \odot c_t) \odot \tanh(c_t)

    W is `(features, 4 * units)`, U is `(units, 4 * units)` and b is `(4 * units,)`,
    with blocks in the gate order i, f, g, o; P is `(3, units)`, with rows P_i, P_f
    and P_o, and starts uniform within ±0.05. The output applies tanh to the memory
    cell, as in Graves (2013), arXiv:1308.0850, equations 7 to 11.

    The state h and the memory cell c are `(batch, units)` each and start as zeros;
    h is also the output.

    Args:
        units: Number of hidden units, at least 1.
        forget_bias: Initial bias of the forget gate; default 1.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1.

    Reference:
        Gers, Schraudolph & Schmidhuber, Learning precise timing with LSTM recurrent
        networks (2002).
        https://www.jmlr.org/papers/v3/gers02a.html

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> x = np.zeros((2, 5, 3), "float32")
        >>> outputs, (h, c) = layers.Recurrent(cells.PeepholeLSTM(8))(x)
        >>> tuple(outputs.shape), tuple(h.shape), tuple(c.shape)
        ((2, 5, 8), (2, 8), (2, 8))
    """

    native_loop = "peephole_lstm"

    states = ("h", "c")

    def __init__(self, units: int, forget_bias: float = 1.0, **kwargs: Any):
        super().__init__(units, **kwargs)
        self.forget_bias = forget_bias

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        self.W = self.add_kernel(m, 4 * n)
        self.U = self.add_recurrent(n, 4 * n)
        self.P = self.add_weight((3, n), "random_uniform", name="peephole")
        self.b = self.add_bias(4 * n, [0, self.forget_bias, 0, 0])

    def project(self, x: Any) -> Any:
        return x @ self.W + self.b

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        h, c = states
        i, f, g, o = ops.split(p + self.dot(h, self.U), 4, axis=-1)
        i = self.gate("input", ops.sigmoid(i + self.P[0] * c))
        f = self.gate("forget", ops.sigmoid(f + self.P[1] * c))
        c = f * c + i * ops.tanh(g)
        h = self.gate("output", ops.sigmoid(o + self.P[2] * c)) * ops.tanh(c)
        return h, [h, c]
