"""S4D, the diagonal structured state space model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.cells.complex_state import hold, rotate, rotated_recurrence
from seqtasks.cells.initial_values import check_step_sizes, log_step_sizes, numpy_generator
from seqtasks.cells.recurrence import Recurrence, Repeat, as_it_is
from seqtasks.cells.registration import register_cell
from seqtasks.core.errors import ConfigError


@register_cell("s4d", paper="https://arxiv.org/abs/2206.11893", year=2022, params="m*n + 2*n + 4*n*pairs")
class S4D(Cell):
    r"""Diagonal state space model (S4D), a linear system of its own in each unit.

    .. math::
        u_t &= x_t W \\
        h_t &= \bar A \odot h_{t-1} + \bar B u_t, \quad
        \bar A = \exp(\Delta A), \quad \bar B = (\exp(\Delta A) - 1) / A \\
        y_t &= 2 \, \mathrm{Re}(C h_t) + D \odot u_t

    The second and third line hold for each unit, with a complex state of N/2 numbers:
    those of a real system of size N = `state_dim` in conjugate pairs. A, of which the
    imaginary part and the logarithm of the negative real part are trained, and C are
    `(units * N/2,)` each; the step size Δ, of which the logarithm is trained, and D
    are `(units,)`, W is `(features, units)`. A and Δ are discretized by a zero-order
    hold, and A starts as S4D-Lin, -1/2 + iπk. W stands for the layer before that of
    the paper, where inputs and units are equally many. The paper also puts an
    activation and a linear layer after each such cell, which are not part of this one.

    The states re and im, the real and imaginary parts of h, are
    `(batch, units * N/2)` each and start as zeros. The output is y. The cell is linear
    in its state, so engine `parallel` can run it.

    Args:
        units: Number of hidden units, at least 1.
        state_dim: Size N of the system of each unit, even and at least 2; default 16.
            The paper has 64.
        dt_min: Smallest initial step size, above 0; default 0.001.
        dt_max: Largest initial step size, at least `dt_min`; default 0.1. The initial
            step sizes are log-uniform between the two.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1, or an option is out of its range.

    Reference:
        Gu, Gupta, Goel & Ré, On the parameterization and initialization of diagonal
        state space models (2022).
        https://arxiv.org/abs/2206.11893

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> layer = layers.Recurrent(cells.S4D(8, state_dim=4), engine="parallel")
        >>> outputs, (re, im) = layer(np.zeros((2, 5, 3), "float32"))
        >>> tuple(outputs.shape), tuple(re.shape), tuple(im.shape)
        ((2, 5, 8), (2, 16), (2, 16))
    """

    states = ("re", "im")

    def __init__(self, units: int, state_dim: int = 16, dt_min: float = 0.001, dt_max: float = 0.1, **kwargs: Any):
        super().__init__(units, **kwargs)
        if state_dim < 2 or state_dim % 2:
            raise ConfigError(f"state_dim is {state_dim}; allowed: even numbers from 2 on; the paper has 64")
        check_step_sizes(dt_min, dt_max)
        self.state_dim = state_dim
        self.dt_min = dt_min
        self.dt_max = dt_max

    @property
    def pairs(self) -> int:
        """Number of conjugate pairs in each unit."""
        return self.state_dim // 2

    @property
    def state_size(self) -> list[int]:
        return [self.units * self.pairs] * 2

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n, size = input_shape[-1], self.units, self.units * self.pairs
        rng = numpy_generator()
        self.W = self.add_kernel(m, n)
        self.decay = self.add_bias(size, math.log(0.5), "log_decay")
        self.frequency = self.add_bias(size, np.tile(math.pi * np.arange(self.pairs), n), "frequency")
        self.C = [self.add_bias(size, rng.normal(0, 0.5**0.5, size), f"output_{part}") for part in self.states]
        self.dt = self.add_bias(n, log_step_sizes(rng, self.dt_min, self.dt_max, n), "log_dt")
        self.D = self.add_weight((n,), keras.initializers.RandomNormal(0.0, 1.0), name="skip_gain")

    def project(self, x: Any) -> Any:
        return x @ self.W

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        re, im = states
        radius, phase, B_re, B_im = self.discrete()
        u = self.spread(p)
        re, im = rotate(radius * re, radius * im, phase)
        re, im = re + B_re * u, im + B_im * u
        return self.read(re, im, p), [re, im]

    def scan(self, p: Any, states: Sequence[Any], recur: Recurrence) -> tuple[Any, list[Any]]:
        radius, phase, B_re, B_im = self.discrete()
        u = self.spread(p)
        b = recur.repeat(B_re, u) * u, recur.repeat(B_im, u) * u
        re, im = rotated_recurrence(radius, phase, *b, (states[0], states[1]), recur)
        return self.read(re, im, p, recur.repeat), [re, im]

    def discrete(self) -> tuple[Any, Any, Any, Any]:
        """Absolute value and phase of Ā, real and imaginary part of B̄, `(units * N/2,)` each."""
        return hold(ops.exp(self.decay), ops.convert_to_tensor(self.frequency), self.spread(ops.exp(self.dt)))

    def spread(self, u: Any) -> Any:
        """Repeats the value of each unit for its states: `(…, units)` to `(…, units * N/2)`."""
        wide = ops.broadcast_to(ops.expand_dims(u, -1), (*ops.shape(u), self.pairs))
        return ops.reshape(wide, (*ops.shape(u)[:-1], self.units * self.pairs))

    def read(self, re: Any, im: Any, u: Any, repeat: Repeat = as_it_is) -> Any:
        """Outputs y, `(…, units)`, from the states and u."""
        parts = re * repeat(self.C[0], re) - im * repeat(self.C[1], im)
        y = 2 * ops.sum(ops.reshape(parts, (*ops.shape(parts)[:-1], self.units, self.pairs)), axis=-1)
        return y + repeat(self.D, u) * u
