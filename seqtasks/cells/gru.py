"""The gated recurrent unit, with the reset gate after or before the product."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from seqtasks.cells.base import Cell, register_cell


@register_cell("gru", paper="https://arxiv.org/abs/1412.3555", year=2014, params="3*n*(m + n + 2)")
class GRU(Cell):
    r"""Gated recurrent unit, reset after the product as in cuDNN and PyTorch.

    .. math::
        z, r &= \sigma(x_t W_{zr} + h_{t-1} U_{zr} + b_{zr} + b'_{zr}) \\
        \tilde h &= \tanh(x_t W_h + b_h + r \odot (h_{t-1} U_h + b'_h)) \\
        h_t &= z \odot h_{t-1} + (1 - z) \odot \tilde h

    W is (features, 3 units), U is (units, 3 units), b and b' are the rows of (2, 3 units),
    in the gate order z, r, h; the weights are those of `keras.layers.GRU`, in its order.
    z keeps the old state, as in Keras and PyTorch; Chung et al. write it the other way
    round. `gru_v1` is another function, and their weights cannot be exchanged.

    Reference: Chung et al., Empirical evaluation of gated recurrent neural networks on
    sequence modeling; the place of the reset gate is that of cuDNN (arXiv:1410.0759).
    """

    native_loop = "gru"

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
        z, r = ops.sigmoid(xz + hz), ops.sigmoid(xr + hr)
        h = z * h + (1 - z) * ops.tanh(xh + r * hh)
        return h, [h]

    def keras_layer(self, **arguments: Any) -> keras.layers.RNN:
        return keras.layers.GRU(self.units, reset_after=True, **arguments)


@register_cell("gru_v1", paper="https://arxiv.org/abs/1406.1078", year=2014, params="3*n*(m + n + 1)")
class GRUv1(Cell):
    r"""Gated recurrent unit, reset before the product as in its first paper.

    .. math::
        z, r &= \sigma(x_t W_{zr} + h_{t-1} U_{zr} + b_{zr}) \\
        \tilde h &= \tanh(x_t W_h + (r \odot h_{t-1}) U_h + b_h) \\
        h_t &= z \odot h_{t-1} + (1 - z) \odot \tilde h

    W is (features, 3 units), U is (units, 3 units), b is (3 units,), in the order z, r, h;
    the weights are those of `keras.layers.GRU(reset_after=False)`, in its order.

    Reference: Cho et al., Learning phrase representations using RNN encoder-decoder.
    """

    native_loop = "gru_v1"

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        self.W = self.add_kernel(m, 3 * n)
        self.U = self.add_recurrent(n, 3 * n)
        self.b = self.add_bias(3 * n)

    def project(self, x: Any) -> Any:
        return x @ self.W + self.b

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        (h,) = states
        n = self.units
        z, r = ops.split(ops.sigmoid(p[:, : 2 * n] + self.dot(h, self.U[:, : 2 * n])), 2, axis=-1)
        h = z * h + (1 - z) * ops.tanh(p[:, 2 * n :] + self.dot(r * h, self.U[:, 2 * n :]))
        return h, [h]

    def keras_layer(self, **arguments: Any) -> keras.layers.RNN:
        return keras.layers.GRU(self.units, reset_after=False, **arguments)
