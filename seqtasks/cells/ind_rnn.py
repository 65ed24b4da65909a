"""Independently recurrent neural network (IndRNN)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.cells.registration import register_cell
from seqtasks.core.errors import ConfigError


@register_cell("ind_rnn", paper="https://arxiv.org/abs/1803.04831", year=2018, params="n*(m + 2)")
class IndRNN(Cell):
    r"""Independently recurrent network (IndRNN), whose units are connected to themselves only.

    .. math:: h_t = \mathrm{relu}(x_t W + u \odot h_{t-1} + b)

    W is `(features, units)`, u and b are `(units,)`. The recurrent weights u start
    uniform between 0 and 1, or between 0 and `bound` if that is smaller.

    The state h is `(batch, units)`, starts as zeros, and is also the output.

    Args:
        units: Number of hidden units, at least 1.
        bound: Largest absolute value of u, above 0; u is clipped to it after each
            update. Default 1. The paper uses 2^(1/T) for sequences of T steps.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1, or `bound` is not above 0.

    Reference:
        Li, Li, Cook, Zhu & Gao, Independently recurrent neural network (IndRNN):
        Building a longer and deeper RNN (2018).
        https://arxiv.org/abs/1803.04831

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> x = np.zeros((2, 5, 3), "float32")
        >>> outputs, (h,) = layers.Recurrent(cells.IndRNN(8, bound=2 ** (1 / 5)))(x)
        >>> tuple(outputs.shape), tuple(h.shape)
        ((2, 5, 8), (2, 8))
    """

    def __init__(self, units: int, bound: float = 1.0, **kwargs: Any):
        super().__init__(units, **kwargs)
        if bound <= 0:
            raise ConfigError(f"bound is {bound}; allowed: > 0")
        self.bound = bound

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        initializer = keras.initializers.RandomUniform(0.0, min(1.0, self.bound))
        self.W = self.add_kernel(m, n)
        self.u = self.add_weight((n,), initializer, name="recurrent_gain", constraint=_ClipWithin(self.bound))
        self.b = self.add_bias(n)

    def project(self, x: Any) -> Any:
        return x @ self.W + self.b

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        (h,) = states
        h = ops.relu(p + self.u * self.drop(h))
        return h, [h]


class _ClipWithin(keras.constraints.Constraint):
    """Constraint that clips a weight to ±`bound` after each update."""

    def __init__(self, bound: float):
        self.bound = bound

    def __call__(self, w: Any) -> Any:
        return ops.clip(w, -self.bound, self.bound)
