"""Long short-term memory whose gates see the cell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from seqtasks.cells.base import Cell, register_cell


@register_cell(
    "peephole_lstm", paper="https://www.jmlr.org/papers/v3/gers02a.html", year=2002, params="4*n*(m + n + 1) + 3*n"
)
class PeepholeLSTM(Cell):
    r"""Long short-term memory with peepholes from the cell to the gates.

    .. math::
        i, f, g, o &= x_t W + h_{t-1} U + b \\
        c_t &= \sigma(f + P_f \odot c_{t-1}) \odot c_{t-1} + \sigma(i + P_i \odot c_{t-1}) \odot \tanh(g) \\
        h_t &= \sigma(o + P_o \odot c_t) \odot \tanh(c_t)

    W is (features, 4 units), U is (units, 4 units), b is (4 units,), in the order
    i, f, g, o; P is (3, units), the rows i, f, o, and starts uniform in ±0.05. The cell is
    squashed by tanh on its way out, as in Graves (2013), arXiv:1308.0850, eqs. 7 to 11.

    Reference: Gers, Schraudolph & Schmidhuber, Learning precise timing with LSTM
    recurrent networks (2002).

    Args:
        units: width of the states.
        forget_bias: initial bias of the forget gate.
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
        i, f = ops.sigmoid(i + self.P[0] * c), ops.sigmoid(f + self.P[1] * c)
        c = f * c + i * ops.tanh(g)
        h = ops.sigmoid(o + self.P[2] * c) * ops.tanh(c)
        return h, [h, c]
