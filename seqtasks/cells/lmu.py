"""Legendre memory unit (LMU)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import scipy.linalg
from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.cells.registration import register_cell
from seqtasks.core.errors import ConfigError


@register_cell(
    "lmu",
    paper="https://papers.nips.cc/paper/9689-legendre-memory-units-continuous-time-representation-in-recurrent-neural-networks",
    year=2019,
    params="(m + n + width)*(n + 1)",
)
class LMU(Cell):
    r"""Legendre memory unit (LMU): a window of the past as Legendre polynomials.

    .. math::
        u_t &= x_t e_x + h_{t-1} e_h + m_{t-1} e_m \\
        m_t &= m_{t-1} \bar A + u_t \bar B \\
        h_t &= \tanh(x_t W_x + h_{t-1} W_h + m_t W_m)

    The matrices Ā and B̄ are fixed. They discretize, by a zero-order hold, the linear
    system whose state holds the Legendre coefficients of the last θ steps of the
    scalar u. With d polynomials, e_x is `(features, 1)`, e_h `(units, 1)`, e_m `(d, 1)`
    and zero at the start, W_x `(features, units)`, W_h `(units, units)` and W_m
    `(d, units)`.

    The states h, `(batch, units)`, and m, `(batch, d)`, start as zeros; h is also the
    output.

    Args:
        units: Number of hidden units, at least 1.
        order: Number d of polynomials, at least 1, or 0 for the number of units;
            default 0.
        theta: Length θ of the window in steps, above 0; default 100. It should be as
            long as the longest dependency.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1, or an option is out of its range.

    Reference:
        Voelker, Kajić & Eliasmith, Legendre memory units: continuous-time
        representation in recurrent neural networks (2019).
        https://papers.nips.cc/paper/9689-legendre-memory-units-continuous-time-representation-in-recurrent-neural-networks

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> layer = layers.Recurrent(cells.LMU(8, order=6, theta=20.0))
        >>> outputs, (h, m) = layer(np.zeros((2, 5, 3), "float32"))
        >>> tuple(outputs.shape), tuple(h.shape), tuple(m.shape)
        ((2, 5, 8), (2, 8), (2, 6))
    """

    states = ("h", "m")

    def __init__(self, units: int, order: int = 0, theta: float = 100.0, **kwargs: Any):
        super().__init__(units, **kwargs)
        if order < 0:
            raise ConfigError(f"order is {order}; allowed: ≥ 1, or 0 for the number of units; choose 0")
        if theta <= 0:
            raise ConfigError(f"theta is {theta}; allowed: > 0; choose the length of the longest dependency in steps")
        self.order = order
        self.theta = theta

    @property
    def width(self) -> int:
        """Number d of polynomials."""
        return self.order or self.units

    @property
    def state_size(self) -> list[int]:
        return [self.units, self.width]

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n, d = input_shape[-1], self.units, self.width
        uniform = keras.initializers.LecunUniform
        self.W = self.add_kernel(m, n)
        self.ex = self.add_weight((m, 1), uniform(), name="encoder_x")
        self.U = self.add_recurrent(n, n)
        self.eh = self.add_weight((n, 1), uniform(), name="recurrent_encoder_h")
        self.em = self.add_weight((d, 1), "zeros", name="recurrent_encoder_m")
        self.Um = self.add_recurrent(d, n, "recurrent_memory")
        self.A, self.B = legendre(d, self.theta)

    def project(self, x: Any) -> Any:
        return x @ ops.concatenate([self.W, self.ex], axis=1)

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        h, m = states
        n = self.units
        u = p[..., n:] + self.dot(h, self.eh) + self.dot(m, self.em)
        m = m @ ops.convert_to_tensor(self.A, m.dtype) + u * ops.convert_to_tensor(self.B, m.dtype)
        h = ops.tanh(p[..., :n] + self.dot(h, self.U) + self.dot(m, self.Um))
        return h, [h, m]


def legendre(order: int, theta: float) -> tuple[np.ndarray, np.ndarray]:
    """Matrices of the memory for row vectors, discretized by a zero-order hold of one step.

    Args:
        order: Number d of polynomials.
        theta: Length of the window in steps.

    Returns:
        Ā, `(d, d)`, and B̄, `(d,)`.
    """
    i, j = np.arange(order)[:, None], np.arange(order)[None]
    A = (2 * i + 1) * np.where(i < j, -1.0, (-1.0) ** (i - j + 1))
    B = (2 * i + 1) * (-1.0) ** i
    system = np.zeros((order + 1, order + 1))
    system[:order, :order], system[:order, order:] = A / theta, B / theta
    exponential = scipy.linalg.expm(system)
    return exponential[:order, :order].T, exponential[:order, order]
