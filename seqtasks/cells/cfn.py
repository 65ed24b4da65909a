"""Chaos-free network (CFN)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.cells.registration import register_cell


@register_cell("cfn", paper="https://arxiv.org/abs/1612.06212", year=2016, params="3*m*n + 2*n*n + 2*n")
class CFN(Cell):
    r"""Chaos-free network (CFN), whose state decays to zero without input.

    .. math::
        \theta, \eta &= \sigma(x_t W_{\theta\eta} + h_{t-1} U + b) \\
        h_t &= \theta \odot \tanh(h_{t-1}) + \eta \odot \tanh(x_t W_h)

    W is `(features, 3 * units)`, with blocks in the order θ, η, h; U is
    `(units, 2 * units)` and b is `(2 * units,)`, with blocks in the order θ, η. As
    in the paper, b starts at 1 for θ and at -1 for η.

    The state h is `(batch, units)`, starts as zeros, and is also the output.

    Args:
        units: Number of hidden units, at least 1.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1.

    Reference:
        Laurent & von Brecht, A recurrent neural network without chaos (2016).
        https://arxiv.org/abs/1612.06212

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> layer = layers.Recurrent(cells.CFN(8))
        >>> outputs, (h,) = layer(np.zeros((2, 5, 3), "float32"))
        >>> tuple(outputs.shape), tuple(h.shape), layer.cell.count_params()
        ((2, 5, 8), (2, 8), 216)
    """

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        self.W = self.add_kernel(m, 3 * n)
        self.U = self.add_recurrent(n, 2 * n)
        self.b = self.add_bias(2 * n, [1, -1])

    def project(self, x: Any) -> Any:
        v, n = x @ self.W, 2 * self.units
        return ops.concatenate([v[..., :n] + self.b, ops.tanh(v[..., n:])], axis=-1)

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        (h,) = states
        n = 2 * self.units
        theta, eta = ops.split(ops.sigmoid(p[:, :n] + self.dot(h, self.U)), 2, axis=-1)
        h = theta * ops.tanh(h) + eta * p[:, n:]
        return h, [h]
