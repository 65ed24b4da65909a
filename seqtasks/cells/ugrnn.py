"""Update gate recurrent network (UGRNN)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.cells.registration import register_cell


@register_cell("ugrnn", paper="https://arxiv.org/abs/1611.09913", year=2016, params="2*n*(m + n + 1)")
class UGRNN(Cell):
    r"""Update gate RNN (UGRNN), a simple RNN with one gate.

    .. math::
        c &= \tanh(x_t W_c + h_{t-1} U_c + b_c) \\
        g &= \sigma(x_t W_g + h_{t-1} U_g + b_g) \\
        h_t &= g \odot h_{t-1} + (1 - g) \odot c

    W is `(features, 2 * units)`, U is `(units, 2 * units)` and b is `(2 * units,)`,
    with blocks in the order c, g.

    The state h is `(batch, units)`, starts as zeros, and is also the output.

    Args:
        units: Number of hidden units, at least 1.
        gate_bias: Initial bias of the gate; default 1. Above 0, the cell at first
            keeps more of its state than it adds.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1.

    Reference:
        Collins, Sohl-Dickstein & Sussillo, Capacity and trainability in recurrent
        neural networks (2016).
        https://arxiv.org/abs/1611.09913

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> x = np.zeros((2, 5, 3), "float32")
        >>> outputs, (h,) = layers.Recurrent(cells.UGRNN(8, gate_bias=2.0))(x)
        >>> tuple(outputs.shape), tuple(h.shape)
        ((2, 5, 8), (2, 8))
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
