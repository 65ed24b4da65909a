"""Long short-term memory with one gate for input and forgetting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from seqtasks.cells.base import Cell, register_cell


@register_cell("coupled_lstm", paper="https://arxiv.org/abs/1503.04069", year=2015, params="3*n*(m + n + 1)")
class CoupledLSTM(Cell):
    r"""Long short-term memory with coupled input and forget gate (CIFG).

    .. math::
        f, g, o &= x_t W + h_{t-1} U + b \\
        c_t &= \sigma(f) \odot c_{t-1} + (1 - \sigma(f)) \odot \tanh(g) \\
        h_t &= \sigma(o) \odot \tanh(c_t)

    W is (features, 3 units), U is (units, 3 units), b is (3 units,), in the order f, g, o.
    The paper's peepholes are left out, and it learns the input gate, which is one minus
    the forget gate.

    Reference: Greff, Srivastava, Koutník, Steunebrink & Schmidhuber, LSTM: a search space
    odyssey (2015).

    Args:
        units: width of the states.
        forget_bias: initial bias of the gate; above 0 it keeps more than it takes in.
    """

    native_loop = "coupled_lstm"

    states = ("h", "c")

    def __init__(self, units: int, forget_bias: float = 1.0, **kwargs: Any):
        super().__init__(units, **kwargs)
        self.forget_bias = forget_bias

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        self.W = self.add_kernel(m, 3 * n)
        self.U = self.add_recurrent(n, 3 * n)
        self.b = self.add_bias(3 * n, [self.forget_bias, 0, 0])

    def project(self, x: Any) -> Any:
        return x @ self.W + self.b

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        h, c = states
        f, g, o = ops.split(p + self.dot(h, self.U), 3, axis=-1)
        f = ops.sigmoid(f)
        c = f * c + (1 - f) * ops.tanh(g)
        h = ops.sigmoid(o) * ops.tanh(c)
        return h, [h, c]
