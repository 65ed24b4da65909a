"""The rectified network that starts as the identity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from seqtasks.cells.base import Cell, register_cell


@register_cell("irnn", paper="https://arxiv.org/abs/1504.00941", year=2015, params="n*(m + n + 1)")
class IRNN(Cell):
    r"""Rectified linear network whose recurrent matrix starts as the identity.

    .. math:: h_t = \max(0, x_t W + h_{t-1} U + b)

    W is (features, units), U is (units, units), b is (units,). At the start U is `scale`
    times the identity, W is normal with deviation 0.001, b is zero: the state is kept.

    Reference: Le, Jaitly & Hinton, A simple way to initialize recurrent networks of
    rectified linear units (2015).

    Args:
        units: width of the state.
        scale: the diagonal of U at the start. The paper takes less than 1, such as 0.01,
            where long memory is of no use.
        kernel_initializer: of W; None: that of the paper.
        recurrent_initializer: of U, instead of the scaled identity.
    """

    def __init__(
        self,
        units: int,
        scale: float = 1.0,
        kernel_initializer: Any = None,
        recurrent_initializer: Any = None,
        **kwargs: Any,
    ):
        kernel_initializer = kernel_initializer or keras.initializers.RandomNormal(stddev=0.001)
        recurrent_initializer = recurrent_initializer or keras.initializers.Identity(gain=scale)
        super().__init__(units, kernel_initializer, recurrent_initializer, **kwargs)
        self.scale = scale

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        self.W = self.add_kernel(m, n)
        self.U = self.add_recurrent(n, n)
        self.b = self.add_bias(n)

    def project(self, x: Any) -> Any:
        return x @ self.W + self.b

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        (h,) = states
        h = ops.relu(p + self.dot(h, self.U))
        return h, [h]
