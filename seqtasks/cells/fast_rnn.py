"""FastRNN and FastGRNN: a residual connection over time, and a gate without matrices of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.cells.registration import register_cell


@register_cell("fast_rnn", paper="https://arxiv.org/abs/1901.02358", year=2018, params="n*(m + n + 1) + 2")
class FastRNN(Cell):
    r"""FastRNN, a simple RNN with a weighted residual connection over time.

    .. math::
        \tilde h &= \tanh(x_t W + h_{t-1} U + b) \\
        h_t &= \sigma(\alpha) \tilde h + \sigma(\beta) h_{t-1}

    W is `(features, units)`, U is `(units, units)` and b is `(units,)`. The scalars
    α and β are `(1,)` and start at -3 and 3.

    The state h is `(batch, units)`, starts as zeros, and is also the output.

    Args:
        units: Number of hidden units, at least 1.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1.

    Reference:
        Kusupati, Singh, Bhatia, Kumar, Jain & Varma, FastGRNN: A fast, accurate,
        stable and tiny kilobyte sized gated recurrent neural network (2018).
        https://arxiv.org/abs/1901.02358

    Example:
        >>> import keras
        >>> from seqtasks.cells import FastRNN
        >>> x = keras.random.normal((2, 5, 3))
        >>> outputs = keras.layers.RNN(FastRNN(8), return_sequences=True)(x)
        >>> tuple(outputs.shape)
        (2, 5, 8)
    """

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        self.W = self.add_kernel(m, n)
        self.U = self.add_recurrent(n, n)
        self.b = self.add_bias(n)
        self.alpha = self.add_bias(1, -3.0, "alpha")
        self.beta = self.add_bias(1, 3.0, "beta")

    def project(self, x: Any) -> Any:
        return x @ self.W + self.b

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        (h,) = states
        new = ops.tanh(p + self.dot(h, self.U))
        h = ops.sigmoid(self.alpha) * new + ops.sigmoid(self.beta) * h
        return h, [h]


@register_cell("fast_grnn", paper="https://arxiv.org/abs/1901.02358", year=2018, params="n*(m + n + 2) + 2")
class FastGRNN(Cell):
    r"""FastGRNN, a gated RNN whose gate and candidate share their matrices.

    .. math::
        a &= x_t W + h_{t-1} U \\
        z &= \sigma(a + b_z) \qquad \tilde h = \tanh(a + b) \\
        h_t &= (\sigma(\zeta) (1 - z) + \sigma(\nu)) \odot \tilde h + z \odot h_{t-1}

    W is `(features, units)`, U is `(units, units)`, b_z and b are `(units,)`, and
    b_z starts at 1. The scalars ζ and ν are `(1,)` and start at 1 and -4. The paper
    also makes W and U sparse and of low rank and quantizes them to bytes, which is
    left out here.

    The state h is `(batch, units)`, starts as zeros, and is also the output.

    Args:
        units: Number of hidden units, at least 1.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1.

    Reference:
        Kusupati, Singh, Bhatia, Kumar, Jain & Varma, FastGRNN: A fast, accurate,
        stable and tiny kilobyte sized gated recurrent neural network (2018).
        https://arxiv.org/abs/1901.02358

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> layer = layers.Recurrent(cells.FastGRNN(8))
        >>> outputs, (h,) = layer(np.zeros((2, 5, 3), "float32"))
        >>> tuple(outputs.shape), tuple(h.shape), layer.cell.count_params()
        ((2, 5, 8), (2, 8), 106)
    """

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        self.W = self.add_kernel(m, n)
        self.U = self.add_recurrent(n, n)
        self.b_z = self.add_bias(n, 1.0, "gate_bias")
        self.b = self.add_bias(n)
        self.zeta = self.add_bias(1, 1.0, "zeta")
        self.nu = self.add_bias(1, -4.0, "nu")

    def project(self, x: Any) -> Any:
        return x @ self.W

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        (h,) = states
        a = p + self.dot(h, self.U)
        z = ops.sigmoid(a + self.b_z)
        h = (ops.sigmoid(self.zeta) * (1 - z) + ops.sigmoid(self.nu)) * ops.tanh(a + self.b) + z * h
        return h, [h]
