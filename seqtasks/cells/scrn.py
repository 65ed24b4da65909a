"""The plain network with a slow context."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from seqtasks.cells.base import Cell, register_cell
from seqtasks.core.errors import ConfigError


@register_cell("scrn", paper="https://arxiv.org/abs/1412.7753", year=2014, params="m*(n + width) + n*(n + width)")
class SCRN(Cell):
    r"""Structurally constrained network, with context units that change slowly.

    .. math::
        s_t &= (1 - \alpha) \, x_t B + \alpha s_{t-1} \\
        h_t &= \sigma(s_t P + x_t A + h_{t-1} R)

    The output is h and s side by side, units + width wide; the paper's read-out
    h U + s V is one linear map of it. B is (features, width), A is (features, units), P
    is (width, units), R is (units, units), where `width` is that of the context.

    Reference: Mikolov, Joulin, Chopra, Mathieu & Ranzato, Learning longer memory in
    recurrent neural networks (2014).

    Args:
        units: width of h.
        context: width of s; 0: a quarter of the units.
        alpha: part of the context that stays at each step, from 0 to below 1.
    """

    states = ("h", "s")

    def __init__(self, units: int, context: int = 0, alpha: float = 0.95, **kwargs: Any):
        super().__init__(units, **kwargs)
        if context < 0:
            raise ConfigError(f"context is {context}; allowed: ≥ 1, or 0 for a quarter of the units")
        if not 0 <= alpha < 1:
            raise ConfigError(f"alpha is {alpha}; allowed: ≥ 0 and < 1")
        self.context = context
        self.alpha = alpha

    @property
    def width(self) -> int:
        """Width of the context."""
        return self.context or max(1, self.units // 4)

    @property
    def state_size(self) -> list[int]:
        return [self.units, self.width]

    @property
    def output_size(self) -> int:
        return self.units + self.width

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n, k = input_shape[-1], self.units, self.width
        self.B = self.add_kernel(m, k, "context_kernel")
        self.A = self.add_kernel(m, n)
        self.P = self.add_recurrent(k, n, "recurrent_context")
        self.R = self.add_recurrent(n, n)

    def project(self, x: Any) -> Any:
        return ops.concatenate([x @ self.A, (1 - self.alpha) * (x @ self.B)], axis=-1)

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        h, s = states
        s = p[:, self.units :] + self.alpha * s
        h = ops.sigmoid(p[:, : self.units] + self.dot(s, self.P) + self.dot(h, self.R))
        return ops.concatenate([h, s], axis=-1), [h, s]
