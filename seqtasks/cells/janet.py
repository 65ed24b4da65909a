"""JANET: long short-term memory with the forget gate only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.cells.registration import register_cell


@register_cell("janet", paper="https://arxiv.org/abs/1804.04849", year=2018, params="2*n*(m + n + 1)")
class JANET(Cell):
    r"""Just another network (JANET), an LSTM with the forget gate only.

    .. math::
        f, c &= x_t W + h_{t-1} U + b \\
        h_t &= \sigma(f) \odot h_{t-1} + (1 - \sigma(f - \beta)) \odot \tanh(c)

    W is `(features, 2 * units)`, U is `(units, 2 * units)` and b is `(2 * units,)`,
    with blocks in the order f, c. The paper draws the initial forget biases as the
    logarithms of random times up to the sequence length (chrono initialization);
    here they are all equal.

    The state h is `(batch, units)`, starts as zeros, and is also the output.

    Args:
        units: Number of hidden units, at least 1.
        beta: Offset β of the forget gate in the weight of the candidate; default 1.
            Above 0, the candidate has more weight than 1 - σ(f).
        forget_bias: Initial bias of the forget gate; default 1.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1.

    Reference:
        van der Westhuizen & Lasenby, The unreasonable effectiveness of the forget
        gate (2018).
        https://arxiv.org/abs/1804.04849

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> x = np.zeros((2, 5, 3), "float32")
        >>> outputs, (h,) = layers.Recurrent(cells.JANET(8, forget_bias=3.0))(x)
        >>> tuple(outputs.shape), tuple(h.shape)
        ((2, 5, 8), (2, 8))
    """

    def __init__(self, units: int, beta: float = 1.0, forget_bias: float = 1.0, **kwargs: Any):
        super().__init__(units, **kwargs)
        self.beta = beta
        self.forget_bias = forget_bias

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        self.W = self.add_kernel(m, 2 * n)
        self.U = self.add_recurrent(n, 2 * n)
        self.b = self.add_bias(2 * n, [self.forget_bias, 0])

    def project(self, x: Any) -> Any:
        return x @ self.W + self.b

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        (h,) = states
        f, c = ops.split(p + self.dot(h, self.U), 2, axis=-1)
        h = ops.sigmoid(f) * h + (1 - ops.sigmoid(f - self.beta)) * ops.tanh(c)
        return h, [h]
