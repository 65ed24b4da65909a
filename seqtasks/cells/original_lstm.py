"""Long short-term memory (LSTM) as first published, without forget gate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.cells.registration import register_cell


@register_cell("original_lstm", paper="https://doi.org/10.1162/neco.1997.9.8.1735", year=1997, params="3*n*(m + n + 1)")
class OriginalLSTM(Cell):
    r"""Long short-term memory (LSTM) as first published, without forget gate.

    .. math::
        i, g, o &= x_t W + h_{t-1} U + b \\
        c_t &= c_{t-1} + \sigma(i) \odot \tanh(g) \\
        h_t &= \sigma(o) \odot \tanh(c_t)

    W is `(features, 3 * units)`, U is `(units, 3 * units)` and b is `(3 * units,)`,
    with blocks in the gate order i, g, o. Two differences to the paper: tanh
    replaces its scaled logistic functions, and gradients are not truncated at the
    gates.

    The state h and the memory cell c are `(batch, units)` each and start as zeros;
    h is also the output.

    Args:
        units: Number of hidden units, at least 1.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1.

    Reference:
        Hochreiter & Schmidhuber, Long short-term memory (1997).
        https://doi.org/10.1162/neco.1997.9.8.1735

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> x = np.zeros((2, 5, 3), "float32")
        >>> outputs, (h, c) = layers.Recurrent(cells.OriginalLSTM(8))(x)
        >>> tuple(outputs.shape), tuple(h.shape), tuple(c.shape)
        ((2, 5, 8), (2, 8), (2, 8))
    """

    states = ("h", "c")

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        self.W = self.add_kernel(m, 3 * n)
        self.U = self.add_recurrent(n, 3 * n)
        self.b = self.add_bias(3 * n)

    def project(self, x: Any) -> Any:
        return x @ self.W + self.b

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        h, c = states
        i, g, o = ops.split(p + self.dot(h, self.U), 3, axis=-1)
        c = c + ops.sigmoid(i) * ops.tanh(g)
        h = ops.sigmoid(o) * ops.tanh(c)
        return h, [h, c]
