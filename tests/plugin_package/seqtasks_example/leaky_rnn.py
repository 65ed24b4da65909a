"""A plain recurrent network whose state changes slowly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from seqtasks import Cell, register_cell


@register_cell("leaky_rnn", paper="https://doi.org/10.1016/j.neunet.2007.04.016", year=2007, params="n*(m + n + 1)")
class LeakyRNN(Cell):
    r"""Leaky integrator network.

    .. math:: h_t = (1 - a) h_{t-1} + a \tanh(x_t W + h_{t-1} U + b)

    W is (features, units), U is (units, units), b is (units,).

    Reference: Jaeger et al., Optimization and applications of echo state networks with
    leaky-integrator neurons; here all weights are trained.

    Args:
        units: width of the state.
        leak: a, in (0, 1]; 1 is the plain recurrent network.
    """

    def __init__(self, units: int, leak: float = 0.5, **kwargs: Any):
        super().__init__(units, **kwargs)
        self.leak = leak

    def build(self, input_shape: Sequence[int | None]) -> None:
        self.W = self.add_kernel(input_shape[-1], self.units)
        self.U = self.add_recurrent(self.units, self.units)
        self.b = self.add_bias(self.units)

    def project(self, x: Any) -> Any:
        return x @ self.W + self.b

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        (h,) = states
        h = (1 - self.leak) * h + self.leak * ops.tanh(p + self.dot(h, self.U))
        return h, [h]
