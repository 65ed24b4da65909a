"""The Lipschitz recurrent network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from seqtasks.cells.base import Cell, register_cell
from seqtasks.core.errors import ConfigError


@register_cell("lipschitz_rnn", paper="https://arxiv.org/abs/2006.12070", year=2020, params="n*(m + 2*n + 1)")
class LipschitzRNN(Cell):
    r"""Lipschitz RNN, an Euler step of a linear part and a Lipschitz nonlinearity.

    .. math::
        S(M) &= (1 - \beta)(M + M^\top) + \beta (M - M^\top) - \gamma I \\
        h_t &= h_{t-1} + \epsilon (h_{t-1} S(A)^\top + \tanh(h_{t-1} S(U)^\top + x_t W + b))

    W is (features, units), A and U are (units, units), b is (units,). The paper allows
    another β and γ for A than for U; here they are the same, as in the authors' code.

    Reference: Erichson et al., Lipschitz recurrent neural networks (2020).

    Args:
        units: width of the state.
        beta: 1 leaves only the antisymmetric part, 0 only the symmetric one.
        gamma: diffusion.
        epsilon: size of the step.
        recurrent_initializer: of A and U; None: normal with standard deviation 1 / units,
            as an orthogonal start lets the state grow by 1.5 % a step.
    """

    def __init__(
        self,
        units: int,
        beta: float = 0.75,
        gamma: float = 0.001,
        epsilon: float = 0.03,
        recurrent_initializer: Any = None,
        **kwargs: Any,
    ):
        recurrent_initializer = recurrent_initializer or keras.initializers.RandomNormal(stddev=1 / max(1, units))
        super().__init__(units, recurrent_initializer=recurrent_initializer, **kwargs)
        if not 0 <= beta <= 1:
            raise ConfigError(f"beta is {beta}; allowed: 0 to 1")
        if epsilon <= 0:
            raise ConfigError(f"epsilon is {epsilon}; allowed: > 0")
        self.beta = beta
        self.gamma = gamma
        self.epsilon = epsilon

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        self.W = self.add_kernel(m, n)
        self.A = self.add_recurrent(n, n, "recurrent_a")
        self.U = self.add_recurrent(n, n, "recurrent_w")
        self.b = self.add_bias(n)

    def project(self, x: Any) -> Any:
        return x @ self.W + self.b

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        (h,) = states
        both = ops.concatenate([self.S(self.A), self.S(self.U)], axis=0)
        linear, a = ops.split(self.dot(h, ops.transpose(both)), 2, axis=-1)
        h = h + self.epsilon * (linear + ops.tanh(a + p))
        return h, [h]

    def S(self, M: Any) -> Any:  # noqa: N802
        """Weighs the symmetric and the antisymmetric part of a matrix."""
        M, T = ops.convert_to_tensor(M), ops.transpose(M)
        return (1 - self.beta) * (M + T) + self.beta * (M - T) - self.gamma * ops.eye(self.units, dtype=M.dtype)
