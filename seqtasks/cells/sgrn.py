"""Simple gated recurrent network (SGRN)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.cells.registration import register_cell


@register_cell("sgrn", paper="https://doi.org/10.1049/gtd2.12056", year=2020, params="n*(m + n + 1)")
class SGRN(Cell):
    r"""Simple gated recurrent network (SGRN), whose gate and candidate share x W.

    .. math::
        v &= x_t W + b \\
        f &= \sigma(v + h_{t-1} U) \\
        h_t &= \tanh((1 - f) \odot v + f \odot h_{t-1})

    W is `(features, units)`, U is `(units, units)` and b is `(units,)`.

    The state h is `(batch, units)`, starts as zeros, and is also the output.

    Args:
        units: Number of hidden units, at least 1.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1.

    Reference:
        Zu & Wei, A simple gated recurrent network for detection of power quality
        disturbances (2020).
        https://doi.org/10.1049/gtd2.12056

    Example:
        >>> import keras
        >>> from seqtasks.cells import SGRN
        >>> x = keras.random.normal((2, 5, 3))
        >>> outputs = keras.layers.RNN(SGRN(8), return_sequences=True)(x)
        >>> tuple(outputs.shape)
        (2, 5, 8)
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
        f = ops.sigmoid(p + self.dot(h, self.U))
        h = ops.tanh((1 - f) * p + f * h)
        return h, [h]
