"""Gated recurrent unit (GRU), with the reset gate applied after or before the matrix product."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.cells.registration import register_cell


@register_cell("gru", paper="https://arxiv.org/abs/1412.3555", year=2014, params="3*n*(m + n + 2)")
class GRU(Cell):
    r"""Gated recurrent unit (GRU), reset after the product as in cuDNN and PyTorch.

    .. math::
        z, r &= \sigma(x_t W_{zr} + h_{t-1} U_{zr} + b_{zr} + b'_{zr}) \\
        \tilde h &= \tanh(x_t W_h + b_h + r \odot (h_{t-1} U_h + b'_h)) \\
        h_t &= z \odot h_{t-1} + (1 - z) \odot \tilde h

    W is `(features, 3 * units)`, U is `(units, 3 * units)`, and b and b' are the
    rows of one weight `(2, 3 * units)`, with blocks in the gate order z, r, h.
    Shapes and order are those of `keras.layers.GRU`, so weights can be copied
    between the two. As in Keras and PyTorch, z is the weight of the previous state;
    in the paper it is that of the candidate. The cell `gru_v1` computes a different
    function, so its weights cannot be used here.

    The state h is `(batch, units)`, starts as zeros, and is also the output.

    Args:
        units: Number of hidden units, at least 1.
        activation: Function in place of tanh, any that Keras accepts, such as `"relu"`,
            `"leaky_relu"` or `"elu"`; default `"tanh"`, the only one of the engine `native`.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1.

    Reference:
        Chung, Gulcehre, Cho & Bengio, Empirical evaluation of gated recurrent
        neural networks on sequence modeling (2014); the reset gate is applied as in
        cuDNN: Chetlur et al. (2014), arXiv:1410.0759.
        https://arxiv.org/abs/1412.3555

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> mask = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]], bool)
        >>> x = np.ones((2, 5, 3), "float32")
        >>> outputs, (h,) = layers.Recurrent(cells.GRU(8))(x, mask=mask)
        >>> tuple(outputs.shape), tuple(h.shape)
        ((2, 5, 8), (2, 8))
        >>> float(outputs[0, 3, 0])  # outputs of masked steps are zero
        0.0
    """

    native_loop = "gru"

    def __init__(self, units: int, activation: Any = "tanh", **kwargs: Any):
        super().__init__(units, **kwargs)
        self.activation = keras.activations.get(activation)

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        self.W = self.add_kernel(m, 3 * n)
        self.U = self.add_recurrent(n, 3 * n)
        self.b = self.add_weight((2, 3 * n), "zeros", name="bias")

    def project(self, x: Any) -> Any:
        return x @ self.W + self.b[0]

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        (h,) = states
        xz, xr, xh = ops.split(p, 3, axis=-1)
        hz, hr, hh = ops.split(self.dot(h, self.U) + self.b[1], 3, axis=-1)
        z, r = self.gate("update", ops.sigmoid(xz + hz)), self.gate("reset", ops.sigmoid(xr + hr))
        h = z * h + (1 - z) * self.activation(xh + r * hh)
        return h, [h]

    def keras_layer(self, **arguments: Any) -> keras.layers.RNN:
        return keras.layers.GRU(self.units, activation=self.activation, reset_after=True, **arguments)


@register_cell("gru_v1", paper="https://arxiv.org/abs/1406.1078", year=2014, params="3*n*(m + n + 1)")
class GRUv1(Cell):
    r"""Gated recurrent unit (GRU), reset before the product as in its first paper.

    .. math::
        z, r &= \sigma(x_t W_{zr} + h_{t-1} U_{zr} + b_{zr}) \\
        \tilde h &= \tanh(x_t W_h + (r \odot h_{t-1}) U_h + b_h) \\
        h_t &= z \odot h_{t-1} + (1 - z) \odot \tilde h

    W is `(features, 3 * units)`, U is `(units, 3 * units)` and b is `(3 * units,)`,
    with blocks in the gate order z, r, h. Shapes and order are those of
    `keras.layers.GRU(reset_after=False)`, so weights can be copied between the two.

    The state h is `(batch, units)`, starts as zeros, and is also the output.

    Args:
        units: Number of hidden units, at least 1.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1.

    Reference:
        Cho et al., Learning phrase representations using RNN encoder-decoder for
        statistical machine translation (2014).
        https://arxiv.org/abs/1406.1078

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> layer = layers.Recurrent(cells.GRUv1(8))
        >>> outputs, (h,) = layer(np.zeros((2, 5, 3), "float32"))
        >>> tuple(outputs.shape), tuple(h.shape), layer.cell.count_params()
        ((2, 5, 8), (2, 8), 288)
    """

    native_loop = "gru_v1"

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        self.W = self.add_kernel(m, 3 * n)
        self.U = self.add_recurrent(n, 3 * n)
        self.b = self.add_bias(3 * n)

    def project(self, x: Any) -> Any:
        return x @ self.W + self.b

    def prepare(self) -> dict[str, Any]:
        n = self.units
        return {"U_zr": self.U[:, : 2 * n], "U_h": self.U[:, 2 * n :]}

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        (h,) = states
        n = self.units
        z, r = ops.split(ops.sigmoid(p[:, : 2 * n] + self.dot(h, self.prepared("U_zr"))), 2, axis=-1)
        z, r = self.gate("update", z), self.gate("reset", r)
        h = z * h + (1 - z) * ops.tanh(p[:, 2 * n :] + self.dot(r * h, self.prepared("U_h")))
        return h, [h]

    def keras_layer(self, **arguments: Any) -> keras.layers.RNN:
        return keras.layers.GRU(self.units, reset_after=False, **arguments)
