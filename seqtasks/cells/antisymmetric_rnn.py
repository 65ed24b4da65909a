"""AntisymmetricRNN: recurrent networks as Euler steps of stable differential equations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.cells.initial_values import identity
from seqtasks.cells.registration import register_cell
from seqtasks.core.errors import ConfigError


@register_cell("antisymmetric_rnn", paper="https://arxiv.org/abs/1902.09689", year=2019, params="n*(m + n + 1)")
class AntisymmetricRNN(Cell):
    r"""AntisymmetricRNN, an Euler step of a stable ordinary differential equation.

    .. math::
        A &= U - U^\top - \gamma I \\
        h_t &= h_{t-1} + \epsilon \tanh(h_{t-1} A^\top + x_t W + b)

    W is `(features, units)`, U is `(units, units)` and b is `(units,)`. Only the
    antisymmetric part of U has an effect.

    The state h is `(batch, units)`, starts as zeros, and is also the output.

    Args:
        units: Number of hidden units, at least 1.
        epsilon: Step size ε of the Euler method, above 0; default 0.1.
        gamma: Diffusion constant γ, which compensates the instability of the Euler
            method; default 0.01.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1, or `epsilon` is not above 0.

    Reference:
        Chang, Chen, Haber & Chi, AntisymmetricRNN: A dynamical system view on
        recurrent neural networks (2019).
        https://arxiv.org/abs/1902.09689

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> x = np.zeros((2, 5, 3), "float32")
        >>> outputs, (h,) = layers.Recurrent(cells.AntisymmetricRNN(8, epsilon=0.05))(x)
        >>> tuple(outputs.shape), tuple(h.shape)
        ((2, 5, 8), (2, 8))
    """

    def __init__(self, units: int, epsilon: float = 0.1, gamma: float = 0.01, **kwargs: Any):
        super().__init__(units, **kwargs)
        if epsilon <= 0:
            raise ConfigError(f"epsilon is {epsilon}; allowed: > 0")
        self.epsilon = epsilon
        self.gamma = gamma

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        self.W = self.add_kernel(m, n)
        self.U = self.add_recurrent(n, n)
        self.b = self.add_bias(n)

    def project(self, x: Any) -> Any:
        return x @ self.W + self.b

    def prepare(self) -> dict[str, Any]:
        difference = self.U - ops.transpose(self.U)
        return {"A.T": ops.transpose(difference - self.gamma * identity(self.units, difference.dtype))}

    def turn(self, h: Any) -> Any:
        """Product h Aᵀ of the previous state, `(batch, units)`, and the recurrent matrix."""
        return self.dot(h, self.prepared("A.T"))

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        (h,) = states
        h = h + self.epsilon * ops.tanh(p + self.turn(h))
        return h, [h]


@register_cell(
    "gated_antisymmetric_rnn", paper="https://arxiv.org/abs/1902.09689", year=2019, params="2*n*(m + 1) + n*n"
)
class GatedAntisymmetricRNN(AntisymmetricRNN):
    r"""AntisymmetricRNN with an input gate, which shares the recurrent matrix.

    .. math::
        A &= U - U^\top - \gamma I \\
        z &= \sigma(h_{t-1} A^\top + x_t W_z + b_z) \\
        h_t &= h_{t-1} + \epsilon z \odot \tanh(h_{t-1} A^\top + x_t W_h + b_h)

    W is `(features, 2 * units)` and b is `(2 * units,)`, with blocks in the order
    z, h; U is `(units, units)`. Only the antisymmetric part of U has an effect.

    The state h is `(batch, units)`, starts as zeros, and is also the output.

    Args:
        units: Number of hidden units, at least 1.
        epsilon: Step size ε of the Euler method, above 0; default 0.1.
        gamma: Diffusion constant γ, which compensates the instability of the Euler
            method; default 0.01.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1, or `epsilon` is not above 0.

    Reference:
        Chang, Chen, Haber & Chi, AntisymmetricRNN: A dynamical system view on
        recurrent neural networks (2019).
        https://arxiv.org/abs/1902.09689

    Example:
        >>> import keras
        >>> from seqtasks.cells import GatedAntisymmetricRNN
        >>> x = keras.random.normal((2, 5, 3))
        >>> outputs = keras.layers.RNN(GatedAntisymmetricRNN(8), return_sequences=True)(x)
        >>> tuple(outputs.shape)
        (2, 5, 8)
    """

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        self.W = self.add_kernel(m, 2 * n)
        self.U = self.add_recurrent(n, n)
        self.b = self.add_bias(2 * n)

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        (h,) = states
        az, ah = ops.split(p, 2, axis=-1)
        q = self.turn(h)
        h = h + self.epsilon * ops.sigmoid(az + q) * ops.tanh(ah + q)
        return h, [h]
