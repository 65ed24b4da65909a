"""LSTM with uniform gate initialization and refine gates (UR-LSTM)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.cells.initial_values import numpy_generator
from seqtasks.cells.registration import register_cell


@register_cell("ur_lstm", paper="https://arxiv.org/abs/1910.09890", year=2020, params="4*n*(m + n + 1)")
class URLSTM(Cell):
    r"""LSTM with uniform gate initialization and refine gates (UR-LSTM).

    .. math::
        f, r, g, o &= x_t W + h_{t-1} U + b \\
        f &= \sigma(f), \quad r = \sigma(r) \\
        e_t &= r \odot (1 - (1 - f)^2) + (1 - r) \odot f^2 \\
        c_t &= e_t \odot c_{t-1} + (1 - e_t) \odot \tanh(g) \\
        h_t &= \sigma(o) \odot \tanh(c_t)

    W is `(features, 4 * units)`, U is `(units, 4 * units)` and b is `(4 * units,)`,
    with blocks in the order f, r, g, o. The refine gate r moves the forget gate f to
    the effective gate e, between f² and 1 - (1 - f)², which are close to 0 and 1 where
    f is not yet saturated. At the start, σ of the bias of f is uniform between 1/units
    and 1 - 1/units, and the bias of r is its negative.

    The states h and c are `(batch, units)` each and start as zeros; h is also the
    output.

    Args:
        units: Number of hidden units, at least 1.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1.

    Reference:
        Gu, Gulcehre, Paine, Hoffman & Pascanu, Improving the gating mechanism of
        recurrent neural networks (2020).
        https://arxiv.org/abs/1910.09890

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> outputs, (h, c) = layers.Recurrent(cells.URLSTM(8))(np.zeros((2, 5, 3), "float32"))
        >>> tuple(outputs.shape), tuple(h.shape), tuple(c.shape)
        ((2, 5, 8), (2, 8), (2, 8))
    """

    states = ("h", "c")

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        rng = numpy_generator()
        edge = 1 / max(n, 2)  # one unit starts at 1/2
        uniform = rng.uniform(edge, 1 - edge, n)
        forget = np.log(uniform / (1 - uniform))
        self.W = self.add_kernel(m, 4 * n)
        self.U = self.add_recurrent(n, 4 * n)
        self.b = self.add_bias(4 * n, np.concatenate([forget, -forget, np.zeros(2 * n)]))

    def project(self, x: Any) -> Any:
        return x @ self.W + self.b

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        h, c = states
        f, r, g, o = ops.split(p + self.dot(h, self.U), 4, axis=-1)
        f, r = ops.sigmoid(f), ops.sigmoid(r)
        e = self.gate("forget", r * (1 - (1 - f) ** 2) + (1 - r) * f**2)
        c = e * c + (1 - e) * ops.tanh(g)
        h = self.gate("output", ops.sigmoid(o)) * ops.tanh(c)
        return h, [h, c]
