"""Recurrent additive network (RAN)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.cells.registration import register_cell


@register_cell("ran", paper="https://arxiv.org/abs/1705.07393", year=2017, params="3*m*n + 2*n*n + 2*n")
class RAN(Cell):
    r"""Recurrent additive network (RAN), a gated sum of linear maps of the inputs.

    .. math::
        \tilde c &= x_t W_c \\
        i, f &= \sigma(x_t W_{if} + h_{t-1} U + b) \\
        c_t &= i \odot \tilde c + f \odot c_{t-1} \\
        h_t &= \tanh(c_t)

    W is `(features, 3 * units)`, with blocks in the order c, i, f; U is
    `(units, 2 * units)` and b is `(2 * units,)`, with blocks in the order i, f.

    The state h and the memory cell c are `(batch, units)` each and start as zeros;
    h is also the output.

    Args:
        units: Number of hidden units, at least 1.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1.

    Reference:
        Lee, Levy & Zettlemoyer, Recurrent additive networks (2017).
        https://arxiv.org/abs/1705.07393

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> x = np.zeros((2, 5, 3), "float32")
        >>> outputs, (h, c) = layers.Recurrent(cells.RAN(8))(x)
        >>> tuple(outputs.shape), tuple(h.shape), tuple(c.shape)
        ((2, 5, 8), (2, 8), (2, 8))
    """

    states = ("h", "c")

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        self.W = self.add_kernel(m, 3 * n)
        self.U = self.add_recurrent(n, 2 * n)
        self.b = self.add_bias(2 * n)

    def project(self, x: Any) -> Any:
        v, n = x @ self.W, self.units
        return ops.concatenate([v[..., :n], v[..., n:] + self.b], axis=-1)

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        h, c = states
        n = self.units
        i, f = ops.split(ops.sigmoid(p[:, n:] + self.dot(h, self.U)), 2, axis=-1)
        c = i * p[:, :n] + f * c
        h = ops.tanh(c)
        return h, [h, c]
