"""Quasi-recurrent neural network (QRNN)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.cells.recurrence import Recurrence
from seqtasks.cells.registration import register_cell


@register_cell("qrnn", paper="https://arxiv.org/abs/1611.01576", year=2016, params="6*m*n + 3*n")
class QRNN(Cell):
    r"""Quasi-recurrent network (QRNN), with a convolution over two inputs and fo-pooling.

    .. math::
        z, f, o &= x_t W + x_{t-1} V + b \\
        c_t &= \sigma(f) \odot c_{t-1} + (1 - \sigma(f)) \odot \tanh(z) \\
        h_t &= \sigma(o) \odot c_t

    W and V are `(features, 3 * units)` and b is `(3 * units,)`, with blocks in the
    order z, f, o.

    The states are c, `(batch, units)`, and v, x V of the last valid step,
    `(batch, 3 * units)`. Both start as zeros. The output is h. The cell is linear
    in its state c, so engine `parallel` can run it.

    Args:
        units: Number of hidden units, at least 1.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1.

    Reference:
        Bradbury, Merity, Xiong & Socher, Quasi-recurrent neural networks (2016).
        https://arxiv.org/abs/1611.01576

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> x = np.zeros((2, 5, 3), "float32")
        >>> outputs, (c, v) = layers.Recurrent(cells.QRNN(8))(x)
        >>> tuple(outputs.shape), tuple(c.shape), tuple(v.shape)
        ((2, 5, 8), (2, 8), (2, 24))
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
        previous, last_v = recur.shift(v, states[1])
        z, f, o = self.gates(a + previous)
        c = recur(f, (1 - f) * z, states[0])
        return o * c, [c, last_v]

    def gates(self, a: Any) -> tuple[Any, Any, Any]:
        """Splits `(…, 3 * units)` into z, f, o, and applies the activation function of each."""
        z, f, o = ops.split(a, 3, axis=-1)
        return ops.tanh(z), ops.sigmoid(f), ops.sigmoid(o)
