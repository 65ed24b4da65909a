"""Recurrent highway network (RHN)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.cells.registration import register_cell
from seqtasks.core.errors import ConfigError


@register_cell("rhn", paper="https://arxiv.org/abs/1607.03474", year=2016, params="2*m*n + depth*2*n*(n + 1)")
class RHN(Cell):
    r"""Recurrent highway network (RHN), with several highway layers in each step.

    .. math::
        s_0 &= h_{t-1} \\
        a, q &= s_{l-1} R_l + b_l + [l = 1]\, x_t W \\
        s_l &= \tanh(a) \odot \sigma(q) + s_{l-1} \odot (1 - \sigma(q)), \quad l = 1 … \text{depth} \\
        h_t &= s_{\text{depth}}

    W is `(features, 2 * units)`, each R_l is `(units, 2 * units)` and each b_l is
    `(2 * units,)`, with blocks in the order a, q. The carry gate is one minus the
    transform gate, as in the paper's experiments.

    The state h is `(batch, units)`, starts as zeros, and is also the output.

    Args:
        units: Number of hidden units, at least 1.
        depth: Number of highway layers in each step, at least 1; default 2.
        transform_bias: Initial bias of the transform gate q; default -2. If it is
            negative, most of the state is at first carried over unchanged.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` or `depth` is below 1.

    Reference:
        Zilly, Srivastava, Koutník & Schmidhuber, Recurrent highway networks (2016).
        https://arxiv.org/abs/1607.03474

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> layer = layers.Recurrent(cells.RHN(8, depth=3))
        >>> outputs, (h,) = layer(np.zeros((2, 5, 3), "float32"))
        >>> tuple(outputs.shape), [tuple(R.shape) for R in layer.cell.R]
        ((2, 5, 8), [(8, 16), (8, 16), (8, 16)])
    """

    def __init__(self, units: int, depth: int = 2, transform_bias: float = -2.0, **kwargs: Any):
        super().__init__(units, **kwargs)
        if depth < 1:
            raise ConfigError(f"depth is {depth}; allowed: ≥ 1")
        self.depth = depth
        self.transform_bias = transform_bias

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        self.W = self.add_kernel(m, 2 * n)
        self.R = [self.add_recurrent(n, 2 * n, f"recurrent_kernel_{i}") for i in range(self.depth)]
        self.b = [self.add_bias(2 * n, [0, self.transform_bias], f"bias_{i}") for i in range(self.depth)]

    def project(self, x: Any) -> Any:
        return x @ self.W + self.b[0]

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        (s,) = states
        for i in range(self.depth):
            a, q = ops.split(self.dot(s, self.R[i]) + (self.b[i] if i else p), 2, axis=-1)
            q = ops.sigmoid(q)
            s = ops.tanh(a) * q + s * (1 - q)
        return s, [s]
