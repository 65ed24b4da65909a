"""Selective state space model (S6) of Mamba."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.cells.initial_values import check_step_sizes, log_step_sizes, numpy_generator
from seqtasks.cells.recurrence import Recurrence, Repeat, as_it_is
from seqtasks.cells.registration import register_cell
from seqtasks.core.errors import ConfigError


@register_cell("mamba", paper="https://arxiv.org/abs/2312.00752", year=2023, params="n*(m + 2*rank + 3*state_dim + 2)")
class Mamba(Cell):
    r"""Selective state space model (S6) of Mamba.

    .. math::
        u_t &= x_t W, \quad r_t, B_t, C_t = u_t V \\
        \Delta_t &= \mathrm{softplus}(r_t W_\Delta + b_\Delta) \\
        h_t &= \exp(\Delta_t A) \odot h_{t-1} + \Delta_t u_t \otimes B_t \\
        y_t &= h_t C_t + D \odot u_t

    The state h is a matrix `(units, N)` with N = `state_dim`. A is `(units, N)` and
    negative; the logarithm of -A is trained and starts as that of 1 to N. W is
    `(features, units)`, V is `(units, rank + 2 * N)`, W_Δ is `(rank, units)`, b_Δ and
    D are `(units,)`. A is discretized by a zero-order hold and B by Euler's method, as
    in the published code. W stands for the layer before that of the paper; the
    convolution, the gate and the output layer of the block around it are not part of
    this cell.

    The state h is `(batch, units * N)` and starts as zeros. The output is y. The cell
    is linear in its state, so engine `parallel` can run it.

    Args:
        units: Number of hidden units, at least 1.
        state_dim: Size N of the state of each unit, at least 1; default 16.
        dt_rank: Rank of the projection that gives Δ, at least 1, or 0 for a sixteenth
            of the units, rounded up; default 0.
        dt_min: Smallest initial step size, above 0; default 0.001.
        dt_max: Largest initial step size, at least `dt_min`; default 0.1. The initial
            step sizes for an input of zero are log-uniform between the two.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1, or an option is out of its range.

    Reference:
        Gu & Dao, Mamba: linear-time sequence modeling with selective state spaces
        (2023).
        https://arxiv.org/abs/2312.00752

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> layer = layers.Recurrent(cells.Mamba(8, state_dim=4), engine="parallel")
        >>> outputs, (h,) = layer(np.zeros((2, 5, 3), "float32"))
        >>> tuple(outputs.shape), tuple(h.shape)
        ((2, 5, 8), (2, 32))
    """

    def __init__(
        self,
        units: int,
        state_dim: int = 16,
        dt_rank: int = 0,
        dt_min: float = 0.001,
        dt_max: float = 0.1,
        **kwargs: Any,
    ):
        super().__init__(units, **kwargs)
        if state_dim < 1:
            raise ConfigError(f"state_dim is {state_dim}; allowed: ≥ 1; choose 16 as the paper")
        if dt_rank < 0:
            raise ConfigError(f"dt_rank is {dt_rank}; allowed: ≥ 1, or 0 for a sixteenth of the units; choose 0")
        check_step_sizes(dt_min, dt_max)
        self.state_dim = state_dim
        self.dt_rank = dt_rank
        self.dt_min = dt_min
        self.dt_max = dt_max

    @property
    def rank(self) -> int:
        """Rank of the projection that gives Δ."""
        return self.dt_rank or -(-self.units // 16)

    @property
    def state_size(self) -> list[int]:
        return [self.units * self.state_dim]

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n, N, r = input_shape[-1], self.units, self.state_dim, self.rank
        rng = numpy_generator()
        dt = np.exp(log_step_sizes(rng, self.dt_min, self.dt_max, n))
        uniform = keras.initializers.RandomUniform(-(r**-0.5), r**-0.5)
        self.W = self.add_kernel(m, n)
        self.V = self.add_kernel(n, r + 2 * N, "selection_kernel")
        self.Wdt = self.add_weight((r, n), uniform, name="dt_kernel")
        self.bdt = self.add_bias(n, dt + np.log(-np.expm1(-dt)), "dt_bias")  # the inverse of softplus
        self.A = self.add_bias(n * N, np.tile(np.log(np.arange(1, N + 1)), n), "log_a")
        self.D = self.add_bias(n, 1.0, "skip_gain")

    def project(self, x: Any) -> Any:
        u = x @ self.W
        r, BC = ops.split(u @ self.V, [self.rank], axis=-1)
        dt = ops.softplus(r @ self.Wdt + self.bdt)
        return ops.concatenate([u, dt, BC], axis=-1)

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        a, b = self.system(p)
        h = a * states[0] + b
        return self.read(h, p), [h]

    def scan(self, p: Any, states: Sequence[Any], recur: Recurrence) -> tuple[Any, list[Any]]:
        a, b = self.system(p, recur.repeat)
        h = recur(a, b, states[0])
        return self.read(h, p, recur.repeat), [h]

    def system(self, p: Any, repeat: Repeat = as_it_is) -> tuple[Any, Any]:
        """Factors and summands of the states, `(…, units * N)` each, from the projected inputs."""
        n, N = self.units, self.state_dim
        u, dt, B, _ = ops.split(p, [n, 2 * n, 2 * n + N], axis=-1)
        A = -repeat(ops.exp(self.A), p)
        A = ops.reshape(A, (*ops.shape(A)[:-1], n, N))
        a, b = ops.exp(dt[..., None] * A), (dt * u)[..., None] * B[..., None, :]
        shape = (*ops.shape(p)[:-1], n * N)
        return ops.reshape(a, shape), ops.reshape(b, shape)

    def read(self, h: Any, p: Any, repeat: Repeat = as_it_is) -> Any:
        """Outputs y, `(…, units)`, from the states and the projected inputs."""
        n, N = self.units, self.state_dim
        u, C = p[..., :n], p[..., 2 * n + N :]
        h = ops.reshape(h, (*ops.shape(h)[:-1], n, N))
        return ops.sum(h * C[..., None, :], axis=-1) + repeat(self.D, u) * u
