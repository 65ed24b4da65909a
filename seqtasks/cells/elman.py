"""Elman and Jordan networks: a recurrent layer together with its output layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.cells.registration import register_cell


@register_cell("elman", paper="https://doi.org/10.1207/s15516709cog1402_1", year=1990, params="n*(m + 2*n + 2)")
class Elman(Cell):
    r"""Elman network, a simple recurrent layer followed by an output layer.

    .. math::
        h_t &= \tanh(x_t W + h_{t-1} U + b) \\
        y_t &= \tanh(h_t V + c)

    W is `(features, units)`, U and V are `(units, units)`, b and c are `(units,)`.
    The cell `simple_rnn` is the recurrent layer alone. Elman's units are logistic,
    these are tanh.

    The state h is `(batch, units)` and starts as zeros. The output is y.

    Args:
        units: Number of hidden units, at least 1.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1.

    Reference:
        Elman, Finding structure in time, Cognitive Science 14 (1990).
        https://doi.org/10.1207/s15516709cog1402_1

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> x = np.zeros((2, 5, 3), "float32")
        >>> outputs, (h,) = layers.Recurrent(cells.Elman(8))(x)
        >>> tuple(outputs.shape), tuple(h.shape)
        ((2, 5, 8), (2, 8))
    """

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        self.W = self.add_kernel(m, n)
        self.U = self.add_recurrent(n, n)
        self.b = self.add_bias(n)
        self.V = self.add_kernel(n, n, "output_kernel")
        self.c = self.add_bias(n, name="output_bias")

    def project(self, x: Any) -> Any:
        return x @ self.W + self.b

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        (h,) = states
        h = ops.tanh(p + self.dot(h, self.U))
        return ops.tanh(h @ self.V + self.c), [h]


@register_cell("jordan", paper="https://doi.org/10.1016/S0166-4115(97)80111-2", year=1986, params="n*(m + 2*n + 2)")
class Jordan(Elman):
    r"""Jordan network, which feeds its output back instead of its hidden layer.

    .. math::
        h_t &= \tanh(x_t W + y_{t-1} U + b) \\
        y_t &= \tanh(h_t V + c)

    W is `(features, units)`, U and V are `(units, units)`, b and c are `(units,)`.
    Jordan's state also holds a decaying trace of earlier outputs, which is left out
    here.

    The state y is `(batch, units)`, starts as zeros, and is also the output.

    Args:
        units: Number of hidden units, at least 1.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1.

    Reference:
        Jordan, Serial order: A parallel distributed processing approach (1986).
        https://doi.org/10.1016/S0166-4115(97)80111-2

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> x = np.zeros((2, 5, 3), "float32")
        >>> outputs, (y,) = layers.Recurrent(cells.Jordan(8))(x)
        >>> tuple(outputs.shape), tuple(y.shape)
        ((2, 5, 8), (2, 8))
    """

    states = ("y",)

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        (y,) = states
        h = ops.tanh(p + self.dot(y, self.U))
        y = ops.tanh(h @ self.V + self.c)
        return y, [y]
