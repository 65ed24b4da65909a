"""Addition-subtraction twin-gated recurrent network (ATR)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.cells.registration import register_cell


@register_cell("atr", paper="https://arxiv.org/abs/1810.12546", year=2018, params="n*(m + n + 1)")
class ATR(Cell):
    r"""Addition-subtraction twin-gated recurrent network (ATR).

    .. math::
        v &= x_t W + b \qquad q = h_{t-1} U \\
        i &= \sigma(v + q) \qquad f = \sigma(v - q) \\
        h_t &= i \odot v + f \odot h_{t-1}

    W is `(features, units)`, U is `(units, units)` and b is `(units,)`. The paper
    calls v p and has no bias b.

    The state h is `(batch, units)`, starts as zeros, and is also the output.

    Args:
        units: Number of hidden units, at least 1.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1.

    Reference:
        Zhang, Xiong, Su, Lin & Zhang, Simplifying neural machine translation with
        addition-subtraction twin-gated recurrent networks (2018).
        https://arxiv.org/abs/1810.12546

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> layer = layers.Recurrent(cells.ATR(8))
        >>> outputs, (h,) = layer(np.zeros((2, 5, 3), "float32"))
        >>> tuple(outputs.shape), tuple(h.shape), layer.cell.count_params()
        ((2, 5, 8), (2, 8), 96)
    """

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        self.W = self.add_kernel(m, n)
        self.U = self.add_recurrent(n, n)
        self.b = self.add_bias(n)

    def project(self, x: Any) -> Any:
        return x @ self.W + self.b

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        (h,) = states
        q = self.dot(h, self.U)
        h = ops.sigmoid(p + q) * p + ops.sigmoid(p - q) * h
        return h, [h]
