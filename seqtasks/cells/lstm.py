"""Long short-term memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from seqtasks.cells.base import Cell, register_cell


@register_cell("lstm", paper="https://doi.org/10.1162/neco.1997.9.8.1735", year=1997)
class LSTM(Cell):
    r"""Long short-term memory with forget gate.

    .. math::
        i, f, g, o &= x_t W + h_{t-1} U + b \\
        c_t &= \sigma(f) \odot c_{t-1} + \sigma(i) \odot \tanh(g) \\
        h_t &= \sigma(o) \odot \tanh(c_t)

    W is (features, 4 units), U is (units, 4 units), b is (4 units,), in the gate order
    i, f, g, o; the weights are those of `keras.layers.LSTM`, in its order.

    References: Hochreiter & Schmidhuber (1997); the forget gate is of Gers,
    Schmidhuber & Cummins (2000), https://doi.org/10.1162/089976600300015015.

    Args:
        units: width of the states.
        forget_bias: initial bias of the forget gate. It only sets the start of
            training and can be unlearnt (TensorFlow 1 added it at every step).
    """

    states = ("h", "c")

    def __init__(self, units: int, forget_bias: float = 1.0, **kwargs: Any):
        super().__init__(units, **kwargs)
        self.forget_bias = forget_bias

    def build(self, input_shape: Sequence[int | None]) -> None:
        n = self.units
        self.W = self.add_weight((input_shape[-1], 4 * n), self.kernel_initializer, name="kernel")
        self.U = self.add_weight((n, 4 * n), self.recurrent_initializer, name="recurrent_kernel")
        self.b = self.add_weight((4 * n,), self._bias, name="bias")

    def _bias(self, shape: Sequence[int], dtype: Any = None) -> Any:
        n = self.units
        return ops.concatenate(
            [ops.zeros((n,), dtype), ops.full((n,), self.forget_bias, dtype), ops.zeros((2 * n,), dtype)]
        )

    def project(self, x: Any) -> Any:
        return x @ self.W + self.b

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        h, c = states
        i, f, g, o = ops.split(p + self.dot(h, self.U), 4, axis=-1)
        c = ops.sigmoid(f) * c + ops.sigmoid(i) * ops.tanh(g)
        h = ops.sigmoid(o) * ops.tanh(c)
        return h, [h, c]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "forget_bias": self.forget_bias}
