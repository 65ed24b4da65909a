"""Structurally constrained recurrent network (SCRN)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.cells.registration import register_cell
from seqtasks.core.errors import ConfigError


@register_cell("scrn", paper="https://arxiv.org/abs/1412.7753", year=2014, params="m*(n + width) + n*(n + width)")
class SCRN(Cell):
    r"""Structurally constrained network (SCRN), with context units that change slowly.

    .. math::
        s_t &= (1 - \alpha) \, x_t B + \alpha s_{t-1} \\
        h_t &= \sigma(s_t P + x_t A + h_{t-1} R)

    B is `(features, width)`, A is `(features, units)`, P is `(width, units)` and R
    is `(units, units)`, where width is the number of context units. The read-out of
    the paper, h U + s V, is one linear map of the output.

    The states are h, `(batch, units)`, and the context s, `(batch, width)`. Both
    start as zeros. The output is h and s concatenated, `(batch, units + width)`.

    Args:
        units: Number of hidden units, the width of h, at least 1.
        context: Number of context units, the width of s; 0, the default: a quarter
            of the units.
        alpha: Fraction α of the context that is kept at each step, at least 0 and
            below 1; default 0.95.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1, `context` is negative, or `alpha` is out of
            its range.

    Reference:
        Mikolov, Joulin, Chopra, Mathieu & Ranzato, Learning longer memory in
        recurrent neural networks (2014).
        https://arxiv.org/abs/1412.7753

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> x = np.zeros((2, 5, 3), "float32")
        >>> outputs, (h, s) = layers.Recurrent(cells.SCRN(8, context=3))(x)
        >>> tuple(outputs.shape), tuple(h.shape), tuple(s.shape)
        ((2, 5, 11), (2, 8), (2, 3))
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
        """Number of context units, the width of the state s."""
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
