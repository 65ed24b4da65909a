"""Long short-term memory (LSTM) with a recurrent projection layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.cells.registration import register_cell
from seqtasks.core.errors import ConfigError


@register_cell("lstmp", paper="https://arxiv.org/abs/1402.1128", year=2014, params="4*n*(m + width + 1) + n*width")
class LSTMP(Cell):
    r"""LSTM with a recurrent projection layer (LSTMP), whose output has fewer units.

    .. math::
        i, f, g, o &= x_t W + h_{t-1} U + b \\
        c_t &= \sigma(f) \odot c_{t-1} + \sigma(i) \odot \tanh(g) \\
        h_t &= (\sigma(o) \odot \tanh(c_t)) P

    W is `(features, 4 * units)`, U is `(width, 4 * units)` and b is `(4 * units,)`,
    with blocks in the gate order i, f, g, o; P is `(units, width)`. Unlike in the
    paper, there are no peephole connections and no second, non-recurrent
    projection; it is the form of `proj_size` in PyTorch.

    The states are h, `(batch, width)`, and the memory cell c, `(batch, units)`.
    Both start as zeros; h is also the output.

    Args:
        units: Number of units of the memory cell, at least 1.
        projection: Width of h and of the output; 0, the default: half of the units.
        forget_bias: Initial bias of the forget gate; default 1.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1, or `projection` is negative.

    Reference:
        Sak, Senior & Beaufays, Long short-term memory based recurrent neural
        network architectures for large vocabulary speech recognition (2014).
        https://arxiv.org/abs/1402.1128

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> x = np.zeros((2, 5, 3), "float32")
        >>> outputs, (h, c) = layers.Recurrent(cells.LSTMP(8, projection=3))(x)
        >>> tuple(outputs.shape), tuple(h.shape), tuple(c.shape)
        ((2, 5, 3), (2, 3), (2, 8))
    """

    states = ("h", "c")

    def __init__(self, units: int, projection: int = 0, forget_bias: float = 1.0, **kwargs: Any):
        super().__init__(units, **kwargs)
        if projection < 0:
            raise ConfigError(f"projection is {projection}; allowed: ≥ 1, or 0 for half of the units")
        self.projection = projection
        self.forget_bias = forget_bias

    @property
    def width(self) -> int:
        """Width of the state h and of the output."""
        return self.projection or max(1, self.units // 2)

    @property
    def state_size(self) -> list[int]:
        return [self.width, self.units]

    @property
    def output_size(self) -> int:
        return self.width

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        self.W = self.add_kernel(m, 4 * n)
        self.U = self.add_recurrent(self.width, 4 * n)
        self.P = self.add_recurrent(n, self.width, "recurrent_projection")
        self.b = self.add_bias(4 * n, [0, self.forget_bias, 0, 0])

    def project(self, x: Any) -> Any:
        return x @ self.W + self.b

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        h, c = states
        i, f, g, o = ops.split(p + self.dot(h, self.U), 4, axis=-1)
        c = ops.sigmoid(f) * c + ops.sigmoid(i) * ops.tanh(g)
        h = (ops.sigmoid(o) * ops.tanh(c)) @ self.P
        return h, [h, c]
