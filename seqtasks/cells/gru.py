"""The gated recurrent unit, with the reset gate after or before the product."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from seqtasks.cells.base import Cell, register_cell


@register_cell("gru", paper="https://arxiv.org/abs/1406.1078", year=2014)
class GRU(Cell):
    r"""Gated recurrent unit.

    .. math::
        z, r &= \sigma(x_t W_{zr} + h_{t-1} U_{zr} + b_{zr}) \\
        \tilde h &= \tanh(x_t W_h + r \odot (h_{t-1} U_h + b'_h) + b_h)
            \quad\text{reset after} \\
        \tilde h &= \tanh(x_t W_h + (r \odot h_{t-1}) U_h + b_h)
            \quad\text{reset before} \\
        h_t &= z \odot h_{t-1} + (1 - z) \odot \tilde h

    W is (features, 3 units), U is (units, 3 units), in the gate order z, r, h. The two
    forms are different functions, and their weights cannot be exchanged: reset after
    (the form of cuDNN and PyTorch) has two biases, b is (2, 3 units); reset before (Cho
    et al., version 1) has one, b is (3 units,). The weights are those of
    `keras.layers.GRU`, in its order. z keeps the old state, as in Keras and PyTorch;
    Chung et al. (2014) write it the other way round.

    Reference: Cho et al., Learning phrase representations using RNN encoder-decoder.

    Args:
        units: width of the state.
        reset_after: the form, see above.
    """

    def __init__(self, units: int, reset_after: bool = True, **kwargs: Any):
        super().__init__(units, **kwargs)
        self.reset_after = reset_after

    def build(self, input_shape: Sequence[int | None]) -> None:
        n = self.units
        self.W = self.add_weight((input_shape[-1], 3 * n), self.kernel_initializer, name="kernel")
        self.U = self.add_weight((n, 3 * n), self.recurrent_initializer, name="recurrent_kernel")
        self.b = self.add_weight((2, 3 * n) if self.reset_after else (3 * n,), "zeros", name="bias")

    def project(self, x: Any) -> Any:
        return x @ self.W + (self.b[0] if self.reset_after else self.b)

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        (h,) = states
        n = self.units
        if self.reset_after:
            xz, xr, xh = ops.split(p, 3, axis=-1)
            hz, hr, hh = ops.split(self.dot(h, self.U) + self.b[1], 3, axis=-1)
            z, r = ops.sigmoid(xz + hz), ops.sigmoid(xr + hr)
            candidate = ops.tanh(xh + r * hh)
        else:
            z, r = ops.split(ops.sigmoid(p[:, : 2 * n] + self.dot(h, self.U[:, : 2 * n])), 2, axis=-1)
            candidate = ops.tanh(p[:, 2 * n :] + self.dot(r * h, self.U[:, 2 * n :]))
        h = z * h + (1 - z) * candidate
        return h, [h]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "reset_after": self.reset_after}
