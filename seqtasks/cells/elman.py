"""The networks of Elman and of Jordan, with their output layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from seqtasks.cells.base import Cell, register_cell


@register_cell("elman", paper="https://doi.org/10.1207/s15516709cog1402_1", year=1990, params="n*(m + 2*n + 2)")
class Elman(Cell):
    r"""Elman network, a plain recurrent layer with an output layer.

    .. math::
        h_t &= \tanh(x_t W + h_{t-1} U + b) \\
        y_t &= \tanh(h_t V + c)

    W is (features, units), U and V are (units, units), b and c are (units,). The output is
    y; `simple_rnn` is the recurrent layer alone. Elman's units are logistic.

    Reference: Elman, Finding structure in time, Cognitive Science 14 (1990).
    """

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        self.W = self.add_kernel(m, n)
        self.U = self.add_recurrent(n, n)
        self.b = self.add_bias(n)
        self.V = self.add_kernel(n, n, "output_kernel")
        self.c = self.add_bias(n, name="output_bias")

    def project(self, x: Any) -> Any:
        return x @ self.W + self.b

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        (h,) = states
        h = ops.tanh(p + self.dot(h, self.U))
        return ops.tanh(h @ self.V + self.c), [h]


@register_cell("jordan", paper="https://doi.org/10.1016/S0166-4115(97)80111-2", year=1986, params="n*(m + 2*n + 2)")
class Jordan(Elman):
    r"""Jordan network, which feeds back its output in place of its hidden layer.

    .. math::
        h_t &= \tanh(x_t W + y_{t-1} U + b) \\
        y_t &= \tanh(h_t V + c)

    W is (features, units), U and V are (units, units), b and c are (units,). Jordan's
    state also keeps a decaying trace of earlier outputs, which is left out.

    Reference: Jordan, Serial order: A parallel distributed processing approach (1986).
    """

    states = ("y",)

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        (y,) = states
        h = ops.tanh(p + self.dot(y, self.U))
        y = ops.tanh(h @ self.V + self.c)
        return y, [y]
