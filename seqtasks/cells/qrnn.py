"""The quasi-recurrent network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from seqtasks.cells.base import Cell, Recurrence, register_cell


@register_cell("qrnn", paper="https://arxiv.org/abs/1611.01576", year=2016, params="6*m*n + 3*n")
class QRNN(Cell):
    r"""Quasi-recurrent network, gates convolved over two inputs and fo-pooling.

    .. math::
        z, f, o &= x_t W + x_{t-1} V + b \\
        c_t &= \sigma(f) \odot c_{t-1} + (1 - \sigma(f)) \odot \tanh(z) \\
        h_t &= \sigma(o) \odot c_t

    W and V are (features, 3 units), b is (3 units,), in the order z, f, o. The state v is
    x V of the last real input, (3 units) wide, and zero before the first.

    Reference: Bradbury, Merity, Xiong & Socher, Quasi-recurrent neural networks (2016).
    """

    states = ("c", "v")

    @property
    def state_size(self) -> list[int]:
        return [self.units, 3 * self.units]

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        self.W = self.add_kernel(m, 3 * n)
        self.V = self.add_kernel(m, 3 * n, "previous_kernel")
        self.b = self.add_bias(3 * n)

    def project(self, x: Any) -> Any:
        return ops.concatenate([x @ self.W + self.b, x @ self.V], axis=-1)

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        c, previous = states
        a, v = ops.split(p, 2, axis=-1)
        z, f, o = self.gates(a + previous)
        c = f * c + (1 - f) * z
        return o * c, [c, v]

    def scan(self, p: Any, states: Sequence[Any], recur: Recurrence) -> tuple[Any, list[Any]]:
        a, v = ops.split(p, 2, axis=-1)
        previous, held = recur.shift(v, states[1])
        z, f, o = self.gates(a + previous)
        c = recur(f, (1 - f) * z, states[0])
        return o * c, [c, held]

    def gates(self, a: Any) -> tuple[Any, Any, Any]:
        """The blocks of (…, 3 units), each through its function."""
        z, f, o = ops.split(a, 3, axis=-1)
        return ops.tanh(z), ops.sigmoid(f), ops.sigmoid(o)
