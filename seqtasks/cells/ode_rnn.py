"""Recurrent network whose state follows a differential equation between the steps (ODE-RNN)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.cells.registration import register_cell
from seqtasks.core.errors import ConfigError

SOLVERS = ("euler", "rk4")


@register_cell(
    "ode_rnn",
    paper="https://arxiv.org/abs/1907.03907",
    year=2019,
    params="3*n*(m + n + 1) + width*(n + 1) + n*(width + 1)",
)
class ODERNN(Cell):
    r"""ODE-RNN, a GRU whose state follows a differential equation between the steps.

    .. math::
        d h(s) / d s &= f(h(s)) = \tanh(h(s) A + a) B + d, \quad h(0) = h_{t-1} \\
        \hat h &= h(\Delta_t) \\
        z, r &= \sigma(x_t W_{zr} + \hat h U_{zr} + b_{zr}) \\
        \tilde h &= \tanh(x_t W_h + (r \odot \hat h) U_h + b_h) \\
        h_t &= z \odot \hat h + (1 - z) \odot \tilde h

    Δ_t is the gap since the step before. The solver divides it into a fixed number of
    equal steps, so the gradient is exact for the numbers that were computed.

    A is `(units, hidden)`, B is `(hidden, units)`, and a and d are their biases. W is
    `(features, 3 * units)`, U is `(units, 3 * units)` and b is `(3 * units,)`, with
    blocks in the gate order z, r, h: the weights of `gru_v1`.

    The state h is `(batch, units)`, starts as zeros, and is also the output.

    Args:
        units: Number of hidden units, at least 1.
        hidden: Width of the hidden layer of f; default 0, for `units`.
        solver: `"euler"`, the default, with one evaluation of f for each solver step,
            or `"rk4"`, the classical Runge-Kutta method of order 4 with four.
        solver_steps: Number of solver steps for each gap, at least 1; default 4.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` or `solver_steps` is below 1, `hidden` is negative, or
            there is no such solver.

    Reference:
        Rubanova, Chen & Duvenaud, Latent ODEs for irregularly-sampled time series
        (2019).
        https://arxiv.org/abs/1907.03907

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> x, gaps = np.zeros((2, 5, 3), "float32"), np.full((2, 5), 0.5, "float32")
        >>> layer = layers.Recurrent(cells.ODERNN(8, solver="rk4", solver_steps=1))
        >>> outputs, (h,) = layer(x, time_gaps=gaps)
        >>> tuple(outputs.shape), tuple(h.shape), tuple(layer.cell.A.shape)
        ((2, 5, 8), (2, 8), (8, 8))
    """

    uses_gaps = True

    def __init__(self, units: int, hidden: int = 0, solver: str = "euler", solver_steps: int = 4, **kwargs: Any):
        super().__init__(units, **kwargs)
        if hidden < 0:
            raise ConfigError(f"hidden is {hidden}; allowed: ≥ 0")
        if solver not in SOLVERS:
            raise ConfigError(f"solver is {solver!r}; allowed: {', '.join(SOLVERS)}")
        if solver_steps < 1:
            raise ConfigError(f"solver_steps is {solver_steps}; allowed: ≥ 1")
        self.hidden = hidden
        self.solver = solver
        self.solver_steps = solver_steps

    @property
    def width(self) -> int:
        """Width of the hidden layer of f."""
        return self.hidden or self.units

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        self.W = self.add_kernel(m, 3 * n)
        self.U = self.add_recurrent(n, 3 * n)
        self.b = self.add_bias(3 * n)
        self.A = self.add_recurrent(n, self.width, "recurrent_ode_kernel")
        self.a = self.add_bias(self.width, name="ode_bias")
        self.B = self.add_kernel(self.width, n, "ode_output_kernel")
        self.d = self.add_bias(n, name="ode_output_bias")

    def project(self, x: Any) -> Any:
        x, gaps, _ = self.split_inputs(x)
        return ops.concatenate([x @ self.W + self.b, gaps], axis=-1)

    def prepare(self) -> dict[str, Any]:
        n = self.units
        return {"U_zr": self.U[:, : 2 * n], "U_h": self.U[:, 2 * n :]}

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        n = self.units
        h = self.evolve(states[0], p[:, -1:])
        z, r = ops.split(ops.sigmoid(p[:, : 2 * n] + self.dot(h, self.prepared("U_zr"))), 2, axis=-1)
        h = z * h + (1 - z) * ops.tanh(p[:, 2 * n : -1] + self.dot(r * h, self.prepared("U_h")))
        return h, [h]

    def derivative(self, h: Any) -> Any:
        """Derivative f of the state, `(batch, units)`, with respect to time."""
        return ops.tanh(self.dot(h, self.A) + self.a) @ self.B + self.d

    def evolve(self, h: Any, gaps: Any) -> Any:
        """Solves the equation from a state, `(batch, units)`, over gaps, `(batch, 1)`."""
        dt = gaps / self.solver_steps
        for _ in range(self.solver_steps):
            k1 = self.derivative(h)
            if self.solver == "euler":
                h = h + dt * k1
                continue
            k2 = self.derivative(h + dt / 2 * k1)
            k3 = self.derivative(h + dt / 2 * k2)
            k4 = self.derivative(h + dt * k3)
            h = h + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        return h
