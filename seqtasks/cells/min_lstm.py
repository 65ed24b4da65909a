"""The minimal LSTM that needs no state for its gates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from seqtasks.cells.base import Cell, Recurrence, register_cell


@register_cell("min_lstm", paper="https://arxiv.org/abs/2410.01201", year=2024, params="3*n*(m + 1)")
class MinLSTM(Cell):
    r"""LSTM whose gates see the input only and sum to one, linear in its state.

    .. math::
        f, i, \tilde h &= x_t W + b \\
        f' &= \sigma(f) / (\sigma(f) + \sigma(i)) \\
        h_t &= f' \odot h_{t-1} + (1 - f') \odot \tilde h

    W is (features, 3 units), b is (3 units,), in the order f, i, h. f' is computed
    without the gates themselves, which may both vanish.

    Reference: Feng et al., Were RNNs all we needed? (2024).
    """

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        self.W = self.add_kernel(m, 3 * n)
        self.b = self.add_bias(3 * n)

    def project(self, x: Any) -> Any:
        f, i, h = ops.split(x @ self.W + self.b, 3, axis=-1)
        # 1/σ(v) = 1 + exp(-v), both by the largest term, which falls out of f'; logarithms measured three times slower.
        top = ops.stop_gradient(ops.maximum(ops.maximum(-f, -i), 0))
        f, i = (ops.exp(-top) + ops.exp(-v - top) for v in (f, i))
        f = i / (f + i)
        return ops.concatenate([f, (1 - f) * h], axis=-1)

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        (h,) = states
        f, new = ops.split(p, 2, axis=-1)
        h = f * h + new
        return h, [h]

    def scan(self, p: Any, states: Sequence[Any], recur: Recurrence) -> tuple[Any, list[Any]]:
        f, new = ops.split(p, 2, axis=-1)
        h = recur(f, new, states[0])
        return h, [h]
