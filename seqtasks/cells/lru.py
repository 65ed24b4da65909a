"""Linear recurrent unit (LRU)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.cells.complex_state import rotate, rotated_recurrence
from seqtasks.cells.initial_values import numpy_generator
from seqtasks.cells.recurrence import Recurrence
from seqtasks.cells.registration import register_cell
from seqtasks.core.errors import ConfigError


@register_cell("lru", paper="https://arxiv.org/abs/2303.06349", year=2023, params="3*n + 3*m*n + 2*n*n")
class LRU(Cell):
    r"""Linear recurrent unit (LRU), a diagonal complex recurrence and a linear readout.

    .. math::
        \lambda &= \exp(-e^\nu + i e^\theta) \\
        h_t &= \lambda \odot h_{t-1} + e^\gamma \odot (x_t B) \\
        y_t &= \mathrm{Re}(h_t C) + x_t D

    ν, θ and γ are `(units,)`; B and D are `(features, units)` and C is
    `(units, units)`. The real and imaginary parts of B and C are separate weights.
    λ starts uniform on a ring in the complex plane, and γ at log √(1 - abs(λ)²). The
    paper's D is diagonal, which needs as many units as features. The paper also
    puts a nonlinear layer after each such cell, which is not part of this one.

    The states re and im, the real and imaginary parts of h, are `(batch, units)`
    each and start as zeros. The output is y. The cell is linear in its state, so
    engine `parallel` can run it.

    Args:
        units: Number of hidden units, at least 1.
        radius_min: Smallest initial abs(λ), from 0 to `radius_max`; default 0.9.
        radius_max: Largest initial abs(λ), below 1; default 0.999.
        phase_max: Largest initial phase of λ in radians, above 0; default 2π.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1, or an option is out of its range.

    Reference:
        Orvieto, Smith, Gu, Fernando, Gulcehre, Pascanu & De, Resurrecting recurrent
        neural networks for long sequences (2023).
        https://arxiv.org/abs/2303.06349

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> layer = layers.Recurrent(cells.LRU(8, radius_min=0.5), engine="parallel")
        >>> outputs, (re, im) = layer(np.zeros((2, 5, 3), "float32"))
        >>> tuple(outputs.shape), tuple(re.shape), tuple(im.shape)
        ((2, 5, 8), (2, 8), (2, 8))
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
        rng = numpy_generator()
        squared_radius = np.maximum(rng.uniform(self.radius_min**2, self.radius_max**2, n), 1e-12)
        phase = self.phase_max * (1 - rng.random(n))
        self.nu = self.add_bias(n, np.log(-0.5 * np.log(squared_radius)), "nu")
        self.theta = self.add_bias(n, np.log(phase), "theta")
        self.gamma = self.add_bias(n, 0.5 * np.log(1 - squared_radius), "gamma")
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
        re, im = rotate(radius * re, radius * im, phase)
        re, im = re + b_re, im + b_im
        return re @ self.C[0] - im @ self.C[1] + skip, [re, im]

    def scan(self, p: Any, states: Sequence[Any], recur: Recurrence) -> tuple[Any, list[Any]]:
        b_re, b_im, skip = ops.split(p, 3, axis=-1)
        radius, phase = ops.exp(-ops.exp(self.nu)), ops.exp(self.theta)
        re, im = rotated_recurrence(radius, phase, b_re, b_im, (states[0], states[1]), recur)
        return re @ self.C[0] - im @ self.C[1] + skip, [re, im]
