"""The independently recurrent network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from seqtasks.cells.base import Cell, register_cell
from seqtasks.core.errors import ConfigError


@register_cell("ind_rnn", paper="https://arxiv.org/abs/1803.04831", year=2018, params="n*(m + 2)")
class IndRNN(Cell):
    r"""Independently recurrent network, each unit sees only its own past.

    .. math:: h_t = \mathrm{relu}(x_t W + u \odot h_{t-1} + b)

    W is (features, units), u and b are (units,). u starts uniform in [0, 1], or up to the
    bound if that is smaller.

    Reference: Li et al., Independently recurrent neural network (2018).

    Args:
        units: width of the state.
        bound: u is kept within ±bound; 2^(1/T) is the paper's for sequences of T steps.
    """

    def __init__(self, units: int, bound: float = 1.0, **kwargs: Any):
        super().__init__(units, **kwargs)
        if bound <= 0:
            raise ConfigError(f"bound is {bound}; allowed: > 0")
        self.bound = bound

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        start = keras.initializers.RandomUniform(0.0, min(1.0, self.bound))
        self.W = self.add_kernel(m, n)
        self.u = self.add_weight((n,), start, name="recurrent_gain", constraint=_Within(self.bound))
        self.b = self.add_bias(n)

    def project(self, x: Any) -> Any:
        return x @ self.W + self.b

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        (h,) = states
        h = ops.relu(p + self.u * self.drop(h))
        return h, [h]


class _Within(keras.constraints.Constraint):
    """Clips a weight to ±bound after each update."""

    def __init__(self, bound: float):
        self.bound = bound

    def __call__(self, w: Any) -> Any:
        return ops.clip(w, -self.bound, self.bound)
