"""Strongly-typed recurrent networks: what is learnt does not mix the coordinates of the state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from seqtasks.cells.base import Cell, Recurrence, register_cell


@register_cell("t_rnn", paper="https://arxiv.org/abs/1602.02218", year=2016, params="2*m*n + n")
class TRNN(Cell):
    r"""Strongly-typed RNN, a running mean of a linear map of the input.

    .. math::
        z, f &= x_t W \\
        h_t &= \sigma(f + b) \odot h_{t-1} + (1 - \sigma(f + b)) \odot z

    W is (features, 2 units), in the order z, f, and b is (units,), of f.

    Reference: Balduzzi & Ghifary, Strongly-typed recurrent neural networks (2016).
    """

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        self.W = self.add_kernel(m, 2 * n)
        self.b = self.add_bias(n)

    def project(self, x: Any) -> Any:
        z, f = ops.split(x @ self.W, 2, axis=-1)
        f = ops.sigmoid(f + self.b)
        return ops.concatenate([f, (1 - f) * z], axis=-1)

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        (h,) = states
        f, z = ops.split(p, 2, axis=-1)
        h = f * h + z
        return h, [h]

    def scan(self, p: Any, states: Sequence[Any], recur: Recurrence) -> tuple[Any, list[Any]]:
        f, z = ops.split(p, 2, axis=-1)
        h = recur(f, z, states[0])
        return h, [h]


class _TwoInputs(Cell):
    """What T-GRU and T-LSTM share: gates z, f, o that see this input and the one before."""

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

    def gates(self, a: Any) -> tuple[Any, Any, Any]:
        """The blocks of (…, 3 units), each through its function."""
        z, f, o = ops.split(a, 3, axis=-1)
        return z, ops.sigmoid(f), ops.tanh(o)


@register_cell("t_gru", paper="https://arxiv.org/abs/1602.02218", year=2016, params="6*m*n + 3*n")
class TGRU(_TwoInputs):
    r"""Strongly-typed GRU, with gates that see this input and the one before.

    .. math::
        z, f, o &= x_t W + x_{t-1} V + b \\
        h_t &= \sigma(f) \odot h_{t-1} + z \odot \tanh(o)

    W and V are (features, 3 units), b is (3 units,), in the order z, f, o. The state v is
    x V of the last real input, (3 units) wide, and zero before the first.

    Reference: Balduzzi & Ghifary, Strongly-typed recurrent neural networks (2016).
    """

    states = ("h", "v")

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        h, previous = states
        a, v = ops.split(p, 2, axis=-1)
        z, f, o = self.gates(a + previous)
        h = f * h + z * o
        return h, [h, v]

    def scan(self, p: Any, states: Sequence[Any], recur: Recurrence) -> tuple[Any, list[Any]]:
        a, v = ops.split(p, 2, axis=-1)
        previous, held = recur.shift(v, states[1])
        z, f, o = self.gates(a + previous)
        h = recur(f, z * o, states[0])
        return h, [h, held]


@register_cell("t_lstm", paper="https://arxiv.org/abs/1602.02218", year=2016, params="6*m*n + 3*n")
class TLSTM(_TwoInputs):
    r"""Strongly-typed LSTM, a running mean with an output gate.

    .. math::
        z, f, o &= x_t W + x_{t-1} V + b \\
        c_t &= \sigma(f) \odot c_{t-1} + (1 - \sigma(f)) \odot z \\
        h_t &= c_t \odot \tanh(o)

    W and V are (features, 3 units), b is (3 units,), in the order z, f, o. The state v is
    x V of the last real input, (3 units) wide, and zero before the first.

    Reference: Balduzzi & Ghifary, Strongly-typed recurrent neural networks (2016).
    """

    states = ("c", "v")

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        c, previous = states
        a, v = ops.split(p, 2, axis=-1)
        z, f, o = self.gates(a + previous)
        c = f * c + (1 - f) * z
        return c * o, [c, v]

    def scan(self, p: Any, states: Sequence[Any], recur: Recurrence) -> tuple[Any, list[Any]]:
        a, v = ops.split(p, 2, axis=-1)
        previous, held = recur.shift(v, states[1])
        z, f, o = self.gates(a + previous)
        c = recur(f, (1 - f) * z, states[0])
        return c * o, [c, held]
