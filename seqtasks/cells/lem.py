"""Long expressive memory (LEM)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.cells.registration import register_cell
from seqtasks.core.errors import ConfigError


@register_cell("lem", paper="https://arxiv.org/abs/2110.04744", year=2021, params="4*n*(m + n + 1)")
class LEM(Cell):
    r"""Long expressive memory (LEM), two states with learned time scales.

    .. math::
        d_1, d_2 &= \Delta \sigma(x_t W_{12} + y_{t-1} U_{12} + b_{12}) \\
        z_t &= (1 - d_1) \odot z_{t-1} + d_1 \odot \tanh(x_t W_z + y_{t-1} U_z + b_z) \\
        y_t &= (1 - d_2) \odot y_{t-1} + d_2 \odot \tanh(x_t W_y + z_t U_y + b_y)

    W is `(features, 4 * units)` and b is `(4 * units,)`, with blocks in the order
    1, 2, z, y; U is `(units, 3 * units)`, with blocks in the order 1, 2, z, and U_y
    is `(units, units)`.

    The states y and z are `(batch, units)` each and start as zeros; y is also the
    output.

    Args:
        units: Number of hidden units, at least 1.
        dt: Largest step size Δ, above 0; default 1.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1, or `dt` is not above 0.

    Reference:
        Rusch, Mishra, Erichson & Mahoney, Long expressive memory for sequence
        modeling (2021).
        https://arxiv.org/abs/2110.04744

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> x = np.zeros((2, 5, 3), "float32")
        >>> outputs, (y, z) = layers.Recurrent(cells.LEM(8, dt=0.5))(x)
        >>> tuple(outputs.shape), tuple(y.shape), tuple(z.shape)
        ((2, 5, 8), (2, 8), (2, 8))
    """

    states = ("y", "z")

    def __init__(self, units: int, dt: float = 1.0, **kwargs: Any):
        super().__init__(units, **kwargs)
        if dt <= 0:
            raise ConfigError(f"dt is {dt}; allowed: > 0")
        self.dt = dt

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        self.W = self.add_kernel(m, 4 * n)
        self.U = self.add_recurrent(n, 3 * n)
        self.Uy = self.add_recurrent(n, n, "recurrent_z")
        self.b = self.add_bias(4 * n)

    def project(self, x: Any) -> Any:
        return x @ self.W + self.b

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        y, z = states
        n = self.units
        a1, a2, az = ops.split(p[:, : 3 * n] + self.dot(y, self.U), 3, axis=-1)
        d1, d2 = self.dt * ops.sigmoid(a1), self.dt * ops.sigmoid(a2)
        z = (1 - d1) * z + d1 * ops.tanh(az)
        y = (1 - d2) * y + d2 * ops.tanh(p[:, 3 * n :] + self.dot(z, self.Uy))
        return y, [y, z]
