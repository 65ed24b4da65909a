"""Cell found by neural architecture search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.cells.registration import register_cell


@register_cell("nas", paper="https://arxiv.org/abs/1611.01578", year=2016, params="8*n*(m + n + 1)")
class NASCell(Cell):
    r"""Cell found by neural architecture search, a tree over eight blocks.

    .. math::
        u &= x_t W, \quad v = h_{t-1} U + b, \quad a = u + v \\
        l_0, l_2, l_5, l_7 &= \sigma(a_0), \sigma(a_2), \sigma(a_5), \sigma(a_7) \\
        l_1, l_3 &= \mathrm{relu}(a_1), \mathrm{relu}(u_3 \odot v_3) \\
        l_4, l_6 &= \tanh(a_4), \tanh(a_6) \\
        c_t &= \tanh(\tanh(l_0 \odot l_1) + c_{t-1}) \odot \tanh(l_2 + l_3) \\
        h_t &= \tanh(c_t \odot \tanh(\tanh(l_4 \odot l_5) + \sigma(l_6 + l_7)))

    W is `(features, 8 * units)`, U is `(units, 8 * units)` and b is `(8 * units,)`,
    with blocks in the order 0 to 7. The product in block 3 and the position of the
    bias are those of the implementation released with TensorFlow.

    The state h and the memory cell c are `(batch, units)` each and start as zeros;
    h is also the output.

    Args:
        units: Number of hidden units, at least 1.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1.

    Reference:
        Zoph & Le, Neural architecture search with reinforcement learning (2016).
        https://arxiv.org/abs/1611.01578

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> x = np.zeros((2, 5, 3), "float32")
        >>> outputs, (h, c) = layers.Recurrent(cells.NASCell(8))(x)
        >>> tuple(outputs.shape), tuple(h.shape), tuple(c.shape)
        ((2, 5, 8), (2, 8), (2, 8))
    """

    states = ("h", "c")

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        self.W = self.add_kernel(m, 8 * n)
        self.U = self.add_recurrent(n, 8 * n)
        self.b = self.add_bias(8 * n)

    def project(self, x: Any) -> Any:
        return x @ self.W

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        h, c = states
        n = self.units
        v = self.dot(h, self.U) + self.b
        a = ops.split(p + v, 8, axis=-1)
        l0, l2, l5, l7 = (ops.sigmoid(a[k]) for k in (0, 2, 5, 7))
        l1, l3 = ops.relu(a[1]), ops.relu(p[:, 3 * n : 4 * n] * v[:, 3 * n : 4 * n])
        l4, l6 = ops.tanh(a[4]), ops.tanh(a[6])
        c = ops.tanh(ops.tanh(l0 * l1) + c) * ops.tanh(l2 + l3)
        h = ops.tanh(c * ops.tanh(ops.tanh(l4 * l5) + ops.sigmoid(l6 + l7)))
        return h, [h, c]
