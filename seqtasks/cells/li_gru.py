"""Light gated recurrent unit (Li-GRU)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.cells.registration import register_cell


@register_cell("li_gru", paper="https://arxiv.org/abs/1803.10225", year=2018, params="2*n*(m + n + 1)")
class LiGRU(Cell):
    r"""Light GRU (Li-GRU), a GRU with rectified linear units and no reset gate.

    .. math::
        z &= \sigma(x_t W_z + h_{t-1} U_z + b_z) \\
        \tilde h &= \max(0, x_t W_h + h_{t-1} U_h + b_h) \\
        h_t &= z \odot h_{t-1} + (1 - z) \odot \tilde h

    W is `(features, 2 * units)`, U is `(units, 2 * units)` and b is `(2 * units,)`,
    with blocks in the order z, h. The paper applies batch normalization to x W,
    which is left out here. Without it the rectified state may grow without bound,
    so clip the gradient.

    The state h is `(batch, units)`, starts as zeros, and is also the output.

    Args:
        units: Number of hidden units, at least 1.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1.

    Reference:
        Ravanelli, Brakel, Omologo & Bengio, Light gated recurrent units for speech
        recognition (2018).
        https://arxiv.org/abs/1803.10225

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> layer = layers.Recurrent(cells.LiGRU(8))
        >>> outputs, (h,) = layer(np.zeros((2, 5, 3), "float32"))
        >>> tuple(outputs.shape), tuple(h.shape), layer.cell.count_params()
        ((2, 5, 8), (2, 8), 192)
    """

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        self.W = self.add_kernel(m, 2 * n)
        self.U = self.add_recurrent(n, 2 * n)
        self.b = self.add_bias(2 * n)

    def project(self, x: Any) -> Any:
        return x @ self.W + self.b

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        (h,) = states
        z, new = ops.split(p + self.dot(h, self.U), 2, axis=-1)
        z = ops.sigmoid(z)
        h = z * h + (1 - z) * ops.relu(new)
        return h, [h]
