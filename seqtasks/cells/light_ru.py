"""Light recurrent unit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.cells.registration import register_cell


@register_cell("light_ru", paper="https://www.mdpi.com/2079-9292/13/16/3204", year=2024, params="2*n*(m + 1) + n*n")
class LightRU(Cell):
    r"""Light recurrent unit (LRU in its paper), whose candidate depends on the input only.

    .. math::
        \tilde h &= \tanh(x_t W_h + b_h) \\
        f &= \sigma(x_t W_f + h_{t-1} U + b_f) \\
        h_t &= (1 - f) \odot h_{t-1} + f \odot \tilde h

    W is `(features, 2 * units)` and b is `(2 * units,)`, with blocks in the order
    h, f; U is `(units, units)`. The bias b_h is an addition. The cell that is
    called `lru` here is the linear recurrent unit.

    The state h is `(batch, units)`, starts as zeros, and is also the output.

    Args:
        units: Number of hidden units, at least 1.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1.

    Reference:
        Ye, Zhang, Liu, Li, Chang & Zheng, Light recurrent unit: Towards an
        interpretable recurrent neural network for modeling long-range dependency
        (2024).
        https://www.mdpi.com/2079-9292/13/16/3204

    Example:
        >>> import keras
        >>> from seqtasks.cells import LightRU
        >>> x = keras.random.normal((2, 5, 3))
        >>> output = keras.layers.RNN(LightRU(8))(x)
        >>> tuple(output.shape)
        (2, 8)
    """

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        self.W = self.add_kernel(m, 2 * n)
        self.b = self.add_bias(2 * n)
        self.U = self.add_recurrent(n, n)

    def project(self, x: Any) -> Any:
        new, f = ops.split(x @ self.W + self.b, 2, axis=-1)
        return ops.concatenate([ops.tanh(new), f], axis=-1)

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        (h,) = states
        new, f = ops.split(p, 2, axis=-1)
        f = ops.sigmoid(f + self.dot(h, self.U))
        h = (1 - f) * h + f * new
        return h, [h]
