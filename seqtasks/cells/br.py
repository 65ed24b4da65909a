"""Bistable recurrent cells, modelled on biological neurons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.cells.registration import register_cell


@register_cell("br", paper="https://arxiv.org/abs/2006.05252", year=2021, params="3*n*(m + 1) + 2*n")
class BR(Cell):
    r"""Bistable recurrent cell (BRC), whose units are connected to themselves only.

    .. math::
        a &= 1 + \tanh(x_t W_a + w_a \odot h_{t-1} + b_a) \\
        c &= \sigma(x_t W_c + w_c \odot h_{t-1} + b_c) \\
        h_t &= c \odot h_{t-1} + (1 - c) \odot \tanh(x_t W_h + a \odot h_{t-1} + b_h)

    W is `(features, 3 * units)` and b is `(3 * units,)`, with blocks in the order
    a, c, h; w is `(2, units)`, with rows w_a and w_c, and starts as ones. A unit
    with a > 1 is bistable: without input it keeps one of two values. The bias b_h
    is an addition; the authors' code has b_a and b_c.

    The state h is `(batch, units)`, starts as zeros, and is also the output.

    Args:
        units: Number of hidden units, at least 1.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1.

    Reference:
        Vecoven, Ernst & Drion, A bio-inspired bistable recurrent cell allows for
        long-lasting memory (2021).
        https://arxiv.org/abs/2006.05252

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> x = np.zeros((2, 5, 3), "float32")
        >>> outputs, (h,) = layers.Recurrent(cells.BR(8))(x)
        >>> tuple(outputs.shape), tuple(h.shape)
        ((2, 5, 8), (2, 8))
    """

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        self.W = self.add_kernel(m, 3 * n)
        self.w = self.add_weight((2, n), "ones", name="recurrent_gain")
        self.b = self.add_bias(3 * n)

    def project(self, x: Any) -> Any:
        return x @ self.W + self.b

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        (h,) = states
        a, c, new = ops.split(p, 3, axis=-1)
        a = 1 + ops.tanh(a + self.w[0] * self.drop(h))
        c = ops.sigmoid(c + self.w[1] * self.drop(h))
        h = c * h + (1 - c) * ops.tanh(new + a * h)
        return h, [h]


@register_cell("nbr", paper="https://arxiv.org/abs/2006.05252", year=2021, params="3*n*(m + 1) + 2*n*n")
class NBR(Cell):
    r"""Neuromodulated bistable recurrent cell (nBRC), whose gates depend on all units.

    .. math::
        a &= 1 + \tanh(x_t W_a + h_{t-1} U_a + b_a) \\
        c &= \sigma(x_t W_c + h_{t-1} U_c + b_c) \\
        h_t &= c \odot h_{t-1} + (1 - c) \odot \tanh(x_t W_h + a \odot h_{t-1} + b_h)

    W is `(features, 3 * units)` and b is `(3 * units,)`, with blocks in the order
    a, c, h; U is `(units, 2 * units)`, with blocks in the order a, c. The bias b_h
    is an addition; the authors' code has b_a and b_c.

    The state h is `(batch, units)`, starts as zeros, and is also the output.

    Args:
        units: Number of hidden units, at least 1.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1.

    Reference:
        Vecoven, Ernst & Drion, A bio-inspired bistable recurrent cell allows for
        long-lasting memory (2021).
        https://arxiv.org/abs/2006.05252

    Example:
        >>> import keras
        >>> from seqtasks.cells import NBR
        >>> x = keras.random.normal((2, 5, 3))
        >>> output = keras.layers.RNN(NBR(8))(x)
        >>> tuple(output.shape)
        (2, 8)
    """

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        self.W = self.add_kernel(m, 3 * n)
        self.U = self.add_recurrent(n, 2 * n)
        self.b = self.add_bias(3 * n)

    def project(self, x: Any) -> Any:
        return x @ self.W + self.b

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        (h,) = states
        n = 2 * self.units
        a, c = ops.split(p[:, :n] + self.dot(h, self.U), 2, axis=-1)
        a, c = 1 + ops.tanh(a), ops.sigmoid(c)
        h = c * h + (1 - c) * ops.tanh(p[:, n:] + a * h)
        return h, [h]
