"""Coupled oscillatory recurrent neural network (coRNN)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.cells.registration import register_cell
from seqtasks.core.errors import ConfigError


@register_cell("co_rnn", paper="https://arxiv.org/abs/2010.00951", year=2020, params="n*(m + 2*n + 1)")
class CoRNN(Cell):
    r"""Coupled oscillatory RNN (coRNN), a network of damped and driven oscillators.

    .. math::
        z_t &= z_{t-1} + \Delta (\tanh(y_{t-1} U_y + z_{t-1} U_z + x_t W + b)
               - \gamma y_{t-1} - \epsilon z_{t-1}) \\
        y_t &= y_{t-1} + \Delta z_t

    W is `(features, units)`, U is `(2 * units, units)`, with the rows of U_y above
    those of U_z, and b is `(units,)`. The damping term is explicit, as in the
    authors' code.

    The states y (position) and z (velocity) are `(batch, units)` each and start as
    zeros. The output is y.

    Args:
        units: Number of hidden units, at least 1.
        dt: Step size Δ, above 0; default 0.042. The three defaults are those of the
            authors for sequential MNIST.
        gamma: Coefficient γ of the restoring force, which sets the frequency;
            default 2.7.
        epsilon: Damping coefficient ε; default 4.7.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1, or `dt` is not above 0.

    Reference:
        Rusch & Mishra, Coupled oscillatory recurrent neural network (coRNN): An
        accurate and (gradient) stable architecture for learning long time
        dependencies (2020).
        https://arxiv.org/abs/2010.00951

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> x = np.zeros((2, 5, 3), "float32")
        >>> outputs, (y, z) = layers.Recurrent(cells.CoRNN(8, dt=0.1))(x)
        >>> tuple(outputs.shape), tuple(y.shape), tuple(z.shape)
        ((2, 5, 8), (2, 8), (2, 8))
    """

    states = ("y", "z")

    def __init__(self, units: int, dt: float = 0.042, gamma: float = 2.7, epsilon: float = 4.7, **kwargs: Any):
        super().__init__(units, **kwargs)
        if dt <= 0:
            raise ConfigError(f"dt is {dt}; allowed: > 0")
        self.dt = dt
        self.gamma = gamma
        self.epsilon = epsilon

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        self.W = self.add_kernel(m, n)
        self.U = self.add_recurrent(2 * n, n)
        self.b = self.add_bias(n)

    def project(self, x: Any) -> Any:
        return x @ self.W + self.b

    def prepare(self) -> dict[str, Any]:
        n = self.units
        return {"U_y": self.U[:n], "U_z": self.U[n:]}

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        y, z = states
        force = ops.tanh(p + self.dot(y, self.prepared("U_y")) + self.dot(z, self.prepared("U_z")))
        z = z + self.dt * (force - self.gamma * y - self.epsilon * z)
        y = y + self.dt * z
        return y, [y, z]
