"""Stackable recurrent cell (STAR)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.cells.registration import register_cell


@register_cell("star", paper="https://arxiv.org/abs/1911.11033", year=2019, params="2*n*(m + 1) + n*n")
class STAR(Cell):
    r"""Stackable recurrent cell (STAR), designed for deep stacks of layers.

    .. math::
        z &= \tanh(x_t W_z + b_z) \\
        k &= \sigma(x_t W_k + h_{t-1} U + b_k) \\
        h_t &= \tanh((1 - k) \odot h_{t-1} + k \odot z)

    W is `(features, 2 * units)` and b is `(2 * units,)`, with blocks in the order
    z, k; U is `(units, units)`.

    The state h is `(batch, units)`, starts as zeros, and is also the output.

    Args:
        units: Number of hidden units, at least 1.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1.

    Reference:
        Turkoglu, D'Aronco, Wegner & Schindler, Gating revisited: Deep multi-layer
        RNNs that can be trained (2019).
        https://arxiv.org/abs/1911.11033

    Example:
        >>> import keras
        >>> from seqtasks.cells import STAR
        >>> stack = keras.layers.RNN([STAR(8), STAR(8), STAR(4)])
        >>> tuple(stack(keras.random.normal((2, 5, 3))).shape)
        (2, 4)
    """

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        self.W = self.add_kernel(m, 2 * n)
        self.b = self.add_bias(2 * n)
        self.U = self.add_recurrent(n, n)

    def project(self, x: Any) -> Any:
        z, k = ops.split(x @ self.W + self.b, 2, axis=-1)
        return ops.concatenate([ops.tanh(z), k], axis=-1)

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        (h,) = states
        z, k = ops.split(p, 2, axis=-1)
        k = ops.sigmoid(k + self.dot(h, self.U))
        h = ops.tanh((1 - k) * h + k * z)
        return h, [h]
