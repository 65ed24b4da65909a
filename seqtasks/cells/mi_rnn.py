"""RNN with multiplicative integration (MI-RNN)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.cells.registration import register_cell


@register_cell("mi_rnn", paper="https://arxiv.org/abs/1606.06630", year=2016, params="n*(m + n + 4)")
class MIRNN(Cell):
    r"""RNN with multiplicative integration (MI-RNN), which multiplies input and state.

    .. math::
        h_t = \tanh(\alpha \odot x_t W \odot h_{t-1} U
            + \beta_1 \odot h_{t-1} U + \beta_2 \odot x_t W + b)

    W is `(features, units)`, U is `(units, units)`; b and the gains α, β₁ and β₂ are
    `(units,)`.

    The state h is `(batch, units)`, starts as zeros, and is also the output.

    Args:
        units: Number of hidden units, at least 1.
        alpha: Initial gain of the product, α; default 1.
        beta: Initial gains of the two summands, β₁ and β₂; default 1.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1.

    Reference:
        Wu, Zhang, Zhang, Bengio & Salakhutdinov, On multiplicative integration with
        recurrent neural networks (2016).
        https://arxiv.org/abs/1606.06630

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> outputs, (h,) = layers.Recurrent(cells.MIRNN(8))(np.zeros((2, 5, 3), "float32"))
        >>> tuple(outputs.shape), tuple(h.shape)
        ((2, 5, 8), (2, 8))
    """

    def __init__(self, units: int, alpha: float = 1.0, beta: float = 1.0, **kwargs: Any):
        super().__init__(units, **kwargs)
        self.alpha = alpha
        self.beta = beta

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        self.W = self.add_kernel(m, n)
        self.U = self.add_recurrent(n, n)
        self.b = self.add_bias(n)
        self.product_gain = self.add_bias(n, self.alpha, "product_gain")
        self.state_gain = self.add_bias(n, self.beta, "state_gain")
        self.input_gain = self.add_bias(n, self.beta, "input_gain")

    def project(self, x: Any) -> Any:
        return x @ self.W

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        v = self.dot(states[0], self.U)
        h = ops.tanh(self.product_gain * p * v + self.state_gain * v + self.input_gain * p + self.b)
        return h, [h]
