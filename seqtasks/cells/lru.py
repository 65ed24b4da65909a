"""The linear recurrent unit."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from seqtasks.cells.base import Cell, Recurrence, register_cell
from seqtasks.core.errors import ConfigError


@register_cell("lru", paper="https://arxiv.org/abs/2303.06349", year=2023, params="3*n + 3*m*n + 2*n*n")
class LRU(Cell):
    r"""Linear recurrent unit, a diagonal complex recurrence and a linear read-out.

    .. math::
        \lambda &= \exp(-e^\nu + i e^\theta) \\
        h_t &= \lambda \odot h_{t-1} + e^\gamma \odot (x_t B) \\
        y_t &= \mathrm{Re}(h_t C) + x_t D

    ν, θ and γ are (units,); B and D are (features, units), C is (units, units). The parts
    of h are the states re and im, those of B and C are weights of their own. λ starts
    uniform on a ring, and γ at log √(1 - |λ|²). The paper's D is diagonal, which needs as
    many units as features. It puts a nonlinear layer after each such cell.

    Reference: Orvieto et al., Resurrecting recurrent neural networks for long
    sequences (2023).

    Args:
        units: width of the output, and of the complex state.
        radius_min: the smallest |λ| at the start.
        radius_max: the largest.
        phase_max: the largest phase of λ at the start.
    """

    states = ("re", "im")

    def __init__(
        self,
        units: int,
        radius_min: float = 0.9,
        radius_max: float = 0.999,
        phase_max: float = 2 * math.pi,
        **kwargs: Any,
    ):
        super().__init__(units, **kwargs)
        if not 0 <= radius_min <= radius_max < 1:
            raise ConfigError(
                f"radius_min is {radius_min} and radius_max is {radius_max}; allowed: 0 ≤ radius_min ≤ radius_max < 1"
            )
        if phase_max <= 0:
            raise ConfigError(f"phase_max is {phase_max}; allowed: > 0")
        self.radius_min = radius_min
        self.radius_max = radius_max
        self.phase_max = phase_max

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        assert m is not None
        rng = np.random.default_rng(random.getrandbits(32))  # keras.utils.set_random_seed sets `random`
        square = np.maximum(rng.uniform(self.radius_min**2, self.radius_max**2, n), 1e-12)
        phase = self.phase_max * (1 - rng.random(n))
        self.nu = self.add_bias(n, np.log(-0.5 * np.log(square)), "nu")
        self.theta = self.add_bias(n, np.log(phase), "theta")
        self.gamma = self.add_bias(n, 0.5 * np.log(1 - square), "gamma")
        normal = keras.initializers.RandomNormal
        self.B = [self.add_weight((m, n), normal(0.0, (2 * m) ** -0.5), name=f"input_{part}") for part in self.states]
        self.C = [self.add_weight((n, n), normal(0.0, n**-0.5), name=f"output_{part}") for part in self.states]
        self.D = self.add_kernel(m, n, "skip_kernel")

    def project(self, x: Any) -> Any:
        scale = ops.exp(self.gamma)
        return x @ ops.concatenate([self.B[0] * scale, self.B[1] * scale, self.D], axis=1)

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        re, im = states
        b_re, b_im, skip = ops.split(p, 3, axis=-1)
        radius, phase = ops.exp(-ops.exp(self.nu)), ops.exp(self.theta)
        re, im = _turn(radius * re, radius * im, phase)
        re, im = re + b_re, im + b_im
        return re @ self.C[0] - im @ self.C[1] + skip, [re, im]

    def scan(self, p: Any, states: Sequence[Any], recur: Recurrence) -> tuple[Any, list[Any]]:
        # In a frame that turns with λ, w_k = exp(-i k phase) h_k, only the real decay |λ| is left.
        b_re, b_im, skip = ops.split(p, 3, axis=-1)
        radius, angle = ops.exp(-ops.exp(self.nu)), _angle(ops.exp(self.theta), recur.steps())
        b = ops.concatenate(_turn(b_re, b_im, -angle), axis=-1)
        w = recur(ops.concatenate([radius, radius]), b, ops.concatenate(states, axis=-1))
        re, im = ops.split(w, 2, axis=-1)
        re, im = _turn(re, im, angle)
        return re @ self.C[0] - im @ self.C[1] + skip, [re, im]


def _angle(phase: Any, k: Any) -> Any:
    """phase · k less whole turns: the leading digits are multiplied apart, where nothing is rounded."""
    dtype = keras.backend.result_type(phase.dtype, "float32")
    turns, k = ops.cast(phase, dtype) / (2 * math.pi), ops.cast(k, dtype)
    lead = ops.stop_gradient(ops.round(turns * 1024) / 1024)
    return 2 * math.pi * (ops.mod(lead * k, 1) + (turns - lead) * k)


def _turn(re: Any, im: Any, angle: Any) -> tuple[Any, Any]:
    """(re + i im) exp(i angle)."""
    cos, sin = ops.cast(ops.cos(angle), re.dtype), ops.cast(ops.sin(angle), re.dtype)
    return re * cos - im * sin, re * sin + im * cos
