"""IRNN: a rectified linear recurrent network with identity initialization."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.cells.registration import register_cell


@keras.saving.register_keras_serializable("seqtasks")
class ScaledIdentity(keras.initializers.Identity):
    """Identity matrix times `gain`; Keras's `Identity` loses its gain when it is copied or saved."""

    def get_config(self) -> dict[str, Any]:
        return {"gain": self.gain}


@register_cell("irnn", paper="https://arxiv.org/abs/1504.00941", year=2015, params="n*(m + n + 1)")
class IRNN(Cell):
    r"""IRNN, a rectified linear RNN whose recurrent matrix starts as the identity.

    .. math:: h_t = \max(0, x_t W + h_{t-1} U + b)

    W is `(features, units)`, U is `(units, units)` and b is `(units,)`. U starts as
    `scale` times the identity, W as normal with standard deviation 0.001, and b as
    zeros, so with `scale` 1 the state is at first kept as it is.

    The state h is `(batch, units)`, starts as zeros, and is also the output.

    Args:
        units: Number of hidden units, at least 1.
        scale: Initial diagonal of U; default 1. The paper uses less, such as 0.01,
            for tasks that need no long memory.
        kernel_initializer: Initializer of W; None: normal with standard deviation
            0.001, as in the paper.
        recurrent_initializer: Initializer of U; None: the scaled identity.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1.

    Reference:
        Le, Jaitly & Hinton, A simple way to initialize recurrent networks of
        rectified linear units (2015).
        https://arxiv.org/abs/1504.00941

    Example:
        >>> from seqtasks.cells import IRNN
        >>> cell = IRNN(2, scale=0.5)
        >>> cell.build((None, 3))
        >>> cell.U.numpy().tolist()
        [[0.5, 0.0], [0.0, 0.5]]
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
        recurrent_initializer = recurrent_initializer or ScaledIdentity(gain=scale)
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
