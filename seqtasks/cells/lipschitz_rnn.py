"""Lipschitz recurrent neural network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.cells.initial_values import identity
from seqtasks.cells.registration import register_cell
from seqtasks.core.errors import ConfigError


@register_cell("lipschitz_rnn", paper="https://arxiv.org/abs/2006.12070", year=2020, params="n*(m + 2*n + 1)")
class LipschitzRNN(Cell):
    r"""Lipschitz RNN, an Euler step of a linear part and a Lipschitz nonlinearity.

    .. math::
        S(M) &= (1 - \beta)(M + M^\top) + \beta (M - M^\top) - \gamma I \\
        h_t &= h_{t-1} + \epsilon (h_{t-1} S(A)^\top + \tanh(h_{t-1} S(U)^\top + x_t W + b))

    W is `(features, units)`, A and U are `(units, units)`, and b is `(units,)`. The
    paper allows different β and γ for A and U; here both use the same, as in the
    authors' code.

    The state h is `(batch, units)`, starts as zeros, and is also the output.

    Args:
        units: Number of hidden units, at least 1.
        beta: Weight β of the antisymmetric part, from 0 (symmetric part only) to 1
            (antisymmetric part only); default 0.75.
        gamma: Diffusion constant γ; default 0.001.
        epsilon: Step size ε of the Euler method, above 0; default 0.03.
        recurrent_initializer: Initializer of A and U; None: normal with standard
            deviation 1 / units, because with orthogonal matrices the state grows by
            1.5 % per step.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1, `beta` is not from 0 to 1, or `epsilon` is
            not above 0.

    Reference:
        Erichson, Azencot, Queiruga, Hodgkinson & Mahoney, Lipschitz recurrent
        neural networks (2020).
        https://arxiv.org/abs/2006.12070

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> x = np.zeros((2, 5, 3), "float32")
        >>> outputs, (h,) = layers.Recurrent(cells.LipschitzRNN(8, beta=0.65))(x)
        >>> tuple(outputs.shape), tuple(h.shape)
        ((2, 5, 8), (2, 8))
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

    def prepare(self) -> dict[str, Any]:
        return {"matrices": ops.transpose(ops.concatenate([self.S(self.A), self.S(self.U)], axis=0))}

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        (h,) = states
        linear, a = ops.split(self.dot(h, self.prepared("matrices")), 2, axis=-1)
        h = h + self.epsilon * (linear + ops.tanh(a + p))
        return h, [h]

    def S(self, M: Any) -> Any:  # noqa: N802
        """Weighted sum S(M) of the symmetric and antisymmetric part of M, with diffusion.

        Args:
            M: Matrix, `(units, units)`.
        """
        M, T = ops.convert_to_tensor(M), ops.transpose(M)
        return (1 - self.beta) * (M + T) + self.beta * (M - T) - self.gamma * identity(self.units, M.dtype)
