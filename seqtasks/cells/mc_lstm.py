"""Memory-controller long short-term memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.cells.registration import register_cell


@register_cell(
    "mc_lstm",
    paper="https://www.intel.com/content/dam/www/public/us/en/ai/documents/Sequence-Modeling-NIPS-2017.pdf",
    year=2017,
    params="5*n*(m + n + 1)",
)
class MCLSTM(Cell):
    r"""Memory-controller LSTM, with one gate for the output and one for the recurrence.

    .. math::
        f, i, o, q, g &= x_t W + v_{t-1} U + b \\
        c_t &= \sigma(f) \odot c_{t-1} + \sigma(i) \odot \tanh(g) \\
        h_t &= \sigma(o) \odot \tanh(c_t) \\
        v_t &= \sigma(q) \odot \tanh(c_t)

    W is `(features, 5 * units)`, U is `(units, 5 * units)` and b is `(5 * units,)`,
    with blocks in the order f, i, o, q, g; the paper calls q and g m and n.

    The state v and the memory cell c are `(batch, units)` each and start as zeros.
    The output is h, which is not a state.

    Args:
        units: Number of hidden units, at least 1.
        forget_bias: Initial bias of the forget gate; default 1.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1.

    Reference:
        Memory-controller LSTM, NIPS workshop on sequence modelling (2017).
        https://www.intel.com/content/dam/www/public/us/en/ai/documents/Sequence-Modeling-NIPS-2017.pdf

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> x = np.zeros((2, 5, 3), "float32")
        >>> outputs, (v, c) = layers.Recurrent(cells.MCLSTM(8))(x)
        >>> tuple(outputs.shape), tuple(v.shape), tuple(c.shape)
        ((2, 5, 8), (2, 8), (2, 8))
    """

    states = ("v", "c")

    def __init__(self, units: int, forget_bias: float = 1.0, **kwargs: Any):
        super().__init__(units, **kwargs)
        self.forget_bias = forget_bias

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        self.W = self.add_kernel(m, 5 * n)
        self.U = self.add_recurrent(n, 5 * n)
        self.b = self.add_bias(5 * n, [self.forget_bias, 0, 0, 0, 0])

    def project(self, x: Any) -> Any:
        return x @ self.W + self.b

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        v, c = states
        f, i, o, q, g = ops.split(p + self.dot(v, self.U), 5, axis=-1)
        c = ops.sigmoid(f) * c + ops.sigmoid(i) * ops.tanh(g)
        h, v = ops.sigmoid(o) * ops.tanh(c), ops.sigmoid(q) * ops.tanh(c)
        return h, [v, c]
