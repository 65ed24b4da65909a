"""The minimal GRU that needs no state for its gate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from seqtasks.cells.base import Cell, Recurrence, register_cell


@register_cell("min_gru", paper="https://arxiv.org/abs/2410.01201", year=2024, params="2*n*(m + 1)")
class MinGRU(Cell):
    r"""GRU whose gate sees the input only, linear in its state.

    .. math::
        z, \tilde h &= x_t W + b \\
        h_t &= (1 - \sigma(z)) \odot h_{t-1} + \sigma(z) \odot \tilde h

    W is (features, 2 units), b is (2 units,), in the order z, h.

    Reference: Feng et al., Were RNNs all we needed? (2024).
    """

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        self.W = self.add_kernel(m, 2 * n)
        self.b = self.add_bias(2 * n)

    def project(self, x: Any) -> Any:
        z, h = ops.split(x @ self.W + self.b, 2, axis=-1)
        z = ops.sigmoid(z)
        return ops.concatenate([1 - z, z * h], axis=-1)

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        (h,) = states
        keep, new = ops.split(p, 2, axis=-1)
        h = keep * h + new
        return h, [h]

    def scan(self, p: Any, states: Sequence[Any], recur: Recurrence) -> tuple[Any, list[Any]]:
        keep, new = ops.split(p, 2, axis=-1)
        h = recur(keep, new, states[0])
        return h, [h]
