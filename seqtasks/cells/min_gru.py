"""minGRU, a gated recurrent unit whose gate does not depend on the state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.cells.recurrence import Recurrence
from seqtasks.cells.registration import register_cell


@register_cell("min_gru", paper="https://arxiv.org/abs/2410.01201", year=2024, params="2*n*(m + 1)")
class MinGRU(Cell):
    r"""minGRU, a GRU whose gate depends on the input only; linear in its state.

    .. math::
        z, \tilde h &= x_t W + b \\
        h_t &= (1 - \sigma(z)) \odot h_{t-1} + \sigma(z) \odot \tilde h

    W is `(features, 2 * units)` and b is `(2 * units,)`, with blocks in the order
    z, h.

    The state h is `(batch, units)`, starts as zeros, and is also the output. The
    cell is linear in its state, so engine `parallel` can run it.

    Args:
        units: Number of hidden units, at least 1.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1.

    Reference:
        Feng, Tung, Ahmed, Bengio & Hajimirsadeghi, Were RNNs all we needed? (2024).
        https://arxiv.org/abs/2410.01201

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> layer = layers.Recurrent(cells.MinGRU(8), engine="parallel")
        >>> outputs, (h,) = layer(np.zeros((2, 5, 3), "float32"))
        >>> tuple(outputs.shape), tuple(h.shape)
        ((2, 5, 8), (2, 8))
    """

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        self.W = self.add_kernel(m, 2 * n)
        self.b = self.add_bias(2 * n)

    def project(self, x: Any) -> Any:
        z, h = ops.split(x @ self.W + self.b, 2, axis=-1)
        z = ops.sigmoid(z)
        return ops.concatenate([1 - z, z * h], axis=-1)

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        (h,) = states
        keep, new = ops.split(p, 2, axis=-1)
        h = keep * h + new
        return h, [h]

    def scan(self, p: Any, states: Sequence[Any], recur: Recurrence) -> tuple[Any, list[Any]]:
        keep, new = ops.split(p, 2, axis=-1)
        h = recur(keep, new, states[0])
        return h, [h]
