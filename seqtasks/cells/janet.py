"""Long short-term memory with nothing but the forget gate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from seqtasks.cells.base import Cell, register_cell


@register_cell("janet", paper="https://arxiv.org/abs/1804.04849", year=2018, params="2*n*(m + n + 1)")
class JANET(Cell):
    r"""Long short-term memory with the forget gate alone (JANET).

    .. math::
        f, c &= x_t W + h_{t-1} U + b \\
        h_t &= \sigma(f) \odot h_{t-1} + (1 - \sigma(f - \beta)) \odot \tanh(c)

    W is (features, 2 units), U is (units, 2 units), b is (2 units,), in the order f, c.
    The paper starts the forget bias at the log of times drawn up to the length of the
    sequences (chrono initialization); here it starts at a constant.

    Reference: van der Westhuizen & Lasenby, The unreasonable effectiveness of the forget
    gate (2018).

    Args:
        units: width of the state.
        beta: above 0 the input opens wider than the forget gate closes.
        forget_bias: initial bias of the forget gate.
    """

    def __init__(self, units: int, beta: float = 1.0, forget_bias: float = 1.0, **kwargs: Any):
        super().__init__(units, **kwargs)
        self.beta = beta
        self.forget_bias = forget_bias

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        self.W = self.add_kernel(m, 2 * n)
        self.U = self.add_recurrent(n, 2 * n)
        self.b = self.add_bias(2 * n, [self.forget_bias, 0])

    def project(self, x: Any) -> Any:
        return x @ self.W + self.b

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        (h,) = states
        f, c = ops.split(p + self.dot(h, self.U), 2, axis=-1)
        h = ops.sigmoid(f) * h + (1 - ops.sigmoid(f - self.beta)) * ops.tanh(c)
        return h, [h]
