"""S5, the simplified structured state space model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.cells.complex_state import hold, rotate, rotated_recurrence
from seqtasks.cells.initial_values import check_step_sizes, log_step_sizes, numpy_generator
from seqtasks.cells.recurrence import Recurrence
from seqtasks.cells.registration import register_cell
from seqtasks.core.errors import ConfigError


@register_cell("s5", paper="https://arxiv.org/abs/2208.04933", year=2023, params="m*n + 2*pairs*(m + n) + 3*pairs")
class S5(Cell):
    r"""Simplified state space model (S5), one linear system that all units share.

    .. math::
        h_t &= \bar{\Lambda} \odot h_{t-1} + \bar B x_t, \quad
        \bar{\Lambda} = \exp(\Delta \Lambda), \quad
        \bar B = (\exp(\Delta \Lambda) - 1) / \Lambda \odot B \\
        y_t &= 2 \, \mathrm{Re}(C h_t) + x_t D

    The complex state h has P/2 numbers, which stand for a real system of size P =
    `state_dim` in conjugate pairs. Λ, of which the imaginary part and the logarithm
    of the negative real part are trained, and the step size Δ, of which the logarithm
    is trained, are `(P/2,)`; B is `(features, P/2)` and C `(P/2, units)`, with real
    and imaginary parts as separate weights; D is `(features, units)`. The system
    starts as the normal part of HiPPO-LegS, in the basis of its eigenvectors, and is
    discretized by a zero-order hold. The paper's D is diagonal, which needs as many
    units as features. The paper also puts a nonlinear layer after each such cell,
    which is not part of this one.

    The states re and im, the real and imaginary parts of h, are `(batch, P/2)` each
    and start as zeros. The output is y. The cell is linear in its state, so engine
    `parallel` can run it.

    Args:
        units: Number of hidden units, at least 1.
        state_dim: Size P of the system, even, or 0 for the number of units, rounded up
            to an even number; default 0.
        dt_min: Smallest initial step size, above 0; default 0.001.
        dt_max: Largest initial step size, at least `dt_min`; default 0.1. The initial
            step sizes are log-uniform between the two.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1, or an option is out of its range.

    Reference:
        Smith, Warrington & Linderman, Simplified state space layers for sequence
        modeling (2023).
        https://arxiv.org/abs/2208.04933

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> layer = layers.Recurrent(cells.S5(8, state_dim=12), engine="parallel")
        >>> outputs, (re, im) = layer(np.zeros((2, 5, 3), "float32"))
        >>> tuple(outputs.shape), tuple(re.shape), tuple(im.shape)
        ((2, 5, 8), (2, 6), (2, 6))
    """

    states = ("re", "im")

    def __init__(self, units: int, state_dim: int = 0, dt_min: float = 0.001, dt_max: float = 0.1, **kwargs: Any):
        super().__init__(units, **kwargs)
        if state_dim < 0 or state_dim % 2:
            raise ConfigError(f"state_dim is {state_dim}; allowed: even numbers, 0 for the number of units; choose 0")
        check_step_sizes(dt_min, dt_max)
        self.state_dim = state_dim
        self.dt_min = dt_min
        self.dt_max = dt_max

    @property
    def pairs(self) -> int:
        """Number of conjugate pairs, P/2."""
        return (self.state_dim or self.units + 1) // 2

    @property
    def state_size(self) -> list[int]:
        return [self.pairs] * 2

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n, half = input_shape[-1], self.units, self.pairs
        assert m is not None
        rng = numpy_generator()
        frequency, V = hippo_normal(2 * half)
        B = rng.normal(0, m**-0.5, (m, 2 * half)) @ V.conj()
        C = V.T @ rng.normal(0, (2 * half) ** -0.5, (2 * half, n))
        self.decay = self.add_bias(half, math.log(0.5), "log_decay")
        self.frequency = self.add_bias(half, frequency, "frequency")
        self.dt = self.add_bias(half, log_step_sizes(rng, self.dt_min, self.dt_max, half), "log_dt")
        self.B = [self.add_values(B.real, "input_re"), self.add_values(B.imag, "input_im")]
        self.C = [self.add_values(C.real, "output_re"), self.add_values(C.imag, "output_im")]
        self.D = self.add_kernel(m, n, "skip_kernel")

    def add_values(self, values: np.ndarray, name: str) -> Any:
        """Adds a weight with the given initial values."""
        return self.add_weight(values.shape, lambda shape, dtype=None: ops.convert_to_tensor(values, dtype), name=name)

    def discrete(self) -> tuple[Any, Any, Any, Any]:
        """Absolute value and phase of Λ̄, and the factor of B in B̄ by its parts, `(P/2,)` each."""
        return hold(ops.exp(self.decay), ops.convert_to_tensor(self.frequency), ops.exp(self.dt))

    def project(self, x: Any) -> Any:
        _, _, re, im = self.discrete()
        B_re, B_im = re * self.B[0] - im * self.B[1], re * self.B[1] + im * self.B[0]
        return x @ ops.concatenate([B_re, B_im, ops.convert_to_tensor(self.D)], axis=1)

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        radius, phase, _, _ = self.discrete()
        b_re, b_im, skip = ops.split(p, [self.pairs, 2 * self.pairs], axis=-1)
        re, im = rotate(radius * states[0], radius * states[1], phase)
        re, im = re + b_re, im + b_im
        return 2 * (re @ self.C[0] - im @ self.C[1]) + skip, [re, im]

    def scan(self, p: Any, states: Sequence[Any], recur: Recurrence) -> tuple[Any, list[Any]]:
        radius, phase, _, _ = self.discrete()
        b_re, b_im, skip = ops.split(p, [self.pairs, 2 * self.pairs], axis=-1)
        re, im = rotated_recurrence(radius, phase, b_re, b_im, (states[0], states[1]), recur)
        return 2 * (re @ self.C[0] - im @ self.C[1]) + skip, [re, im]


def hippo_normal(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues and eigenvectors of the normal part of HiPPO-LegS, one of each conjugate pair.

    Args:
        size: Size of the system, even.

    Returns:
        Imaginary parts of the eigenvalues, `(size / 2,)`, all above 0; the real part is -1/2. Eigenvectors,
        `(size, size / 2)`, in columns.
    """
    root = np.sqrt(2 * np.arange(size) + 1)
    lower = np.tril(np.outer(root, root), -1)
    frequency, V = np.linalg.eigh(0.5j * (lower - lower.T))  # the antisymmetric part of HiPPO-LegS, times -i
    return frequency[size // 2 :], V[:, size // 2 :]
