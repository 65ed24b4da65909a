"""Recurrent networks that are steps of an ordinary differential equation, stable by antisymmetry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from seqtasks.cells.base import Cell, register_cell
from seqtasks.core.errors import ConfigError


@register_cell("antisymmetric_rnn", paper="https://arxiv.org/abs/1902.09689", year=2019, params="n*(m + n + 1)")
class AntisymmetricRNN(Cell):
    r"""Antisymmetric RNN, an Euler step of a stable differential equation.

    .. math::
        A &= U - U^\top - \gamma I \\
        h_t &= h_{t-1} + \epsilon \tanh(h_{t-1} A^\top + x_t W + b)

    W is (features, units), U is (units, units), of which only the antisymmetric part is
    seen, and b is (units,).

    Reference: Chang, Chen, Haber & Chi, AntisymmetricRNN: A dynamical system view on
    recurrent neural networks (2019).

    Args:
        units: width of the state.
        epsilon: size of the step.
        gamma: diffusion, which makes up for the error of the Euler steps.
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

    def turn(self, h: Any) -> Any:
        """h Aᵀ."""
        A = self.U - ops.transpose(self.U) - self.gamma * ops.eye(self.units, dtype=h.dtype)
        return self.dot(h, ops.transpose(A))

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        (h,) = states
        h = h + self.epsilon * ops.tanh(p + self.turn(h))
        return h, [h]


@register_cell(
    "gated_antisymmetric_rnn", paper="https://arxiv.org/abs/1902.09689", year=2019, params="2*n*(m + 1) + n*n"
)
class GatedAntisymmetricRNN(AntisymmetricRNN):
    r"""Antisymmetric RNN with an input gate, which shares its matrix.

    .. math::
        A &= U - U^\top - \gamma I \\
        z &= \sigma(h_{t-1} A^\top + x_t W_z + b_z) \\
        h_t &= h_{t-1} + \epsilon z \odot \tanh(h_{t-1} A^\top + x_t W_h + b_h)

    W is (features, 2 units), b is (2 units,), in the order z, h; U is (units, units), of
    which only the antisymmetric part is seen. The options are those of `antisymmetric_rnn`.

    Reference: Chang, Chen, Haber & Chi, AntisymmetricRNN: A dynamical system view on
    recurrent neural networks (2019).
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
