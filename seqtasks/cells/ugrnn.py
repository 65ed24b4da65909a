"""The network with an update gate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from seqtasks.cells.base import Cell, register_cell


@register_cell("ugrnn", paper="https://arxiv.org/abs/1611.09913", year=2016, params="2*n*(m + n + 1)")
class UGRNN(Cell):
    r"""Update gate network, a plain network with one gate.

    .. math::
        c &= \tanh(x_t W_c + h_{t-1} U_c + b_c) \\
        g &= \sigma(x_t W_g + h_{t-1} U_g + b_g) \\
        h_t &= g \odot h_{t-1} + (1 - g) \odot c

    W is (features, 2 units), U is (units, 2 units), b is (2 units,), in the order c, g.

    Reference: Collins, Sohl-Dickstein & Sussillo, Capacity and trainability in recurrent
    neural networks (2016).

    Args:
        units: width of the state.
        gate_bias: initial bias of the gate; above 0 it keeps more than it takes in.
    """

    def __init__(self, units: int, gate_bias: float = 1.0, **kwargs: Any):
        super().__init__(units, **kwargs)
        self.gate_bias = gate_bias

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        self.W = self.add_kernel(m, 2 * n)
        self.U = self.add_recurrent(n, 2 * n)
        self.b = self.add_bias(2 * n, [0, self.gate_bias])

    def project(self, x: Any) -> Any:
        return x @ self.W + self.b

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        (h,) = states
        c, g = ops.split(p + self.dot(h, self.U), 2, axis=-1)
        g = ops.sigmoid(g)
        h = g * h + (1 - g) * ops.tanh(c)
        return h, [h]
