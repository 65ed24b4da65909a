"""Simple recurrent unit (SRU)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.cells.recurrence import Recurrence
from seqtasks.cells.registration import register_cell


@register_cell("sru", paper="https://arxiv.org/abs/1709.02755", year=2017, params="4*m*n + 2*n")
class SRU(Cell):
    r"""Simple recurrent unit (SRU), with gates of the input only and a highway connection.

    .. math::
        z, f, r, k &= x_t W \\
        f, r &= \sigma(f + b_f), \sigma(r + b_r) \\
        c_t &= f \odot c_{t-1} + (1 - f) \odot z \\
        h_t &= r \odot \tanh(c_t) + (1 - r) \odot k

    W is `(features, 4 * units)`, with blocks in the order z, f, r, k; b is
    `(2 * units,)`, with blocks in the order f, r. This is the first version of the
    paper. In place of k, the paper adds x itself, which needs as many features as
    units; here k is a linear map of x.

    The state c is `(batch, units)` and starts as zeros. The output is h. The cell
    is linear in its state, so engine `parallel` can run it.

    Args:
        units: Number of hidden units, at least 1.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1.

    Reference:
        Lei, Zhang, Wang, Dai & Artzi, Simple recurrent units for highly
        parallelizable recurrence (2017).
        https://arxiv.org/abs/1709.02755

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> x = np.zeros((2, 5, 3), "float32")
        >>> outputs, (c,) = layers.Recurrent(cells.SRU(8))(x)
        >>> tuple(outputs.shape), tuple(c.shape)
        ((2, 5, 8), (2, 8))
    """

    states = ("c",)

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        self.W = self.add_kernel(m, 4 * n)
        self.b = self.add_bias(2 * n)

    def project(self, x: Any) -> Any:
        n = self.units
        z, fr, k = ops.split(x @ self.W, [n, 3 * n], axis=-1)
        f, r = ops.split(ops.sigmoid(fr + self.b), 2, axis=-1)
        return ops.concatenate([f, (1 - f) * z, r, (1 - r) * k], axis=-1)

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        (c,) = states
        f, z, r, k = ops.split(p, 4, axis=-1)
        c = f * c + z
        return r * ops.tanh(c) + k, [c]

    def scan(self, p: Any, states: Sequence[Any], recur: Recurrence) -> tuple[Any, list[Any]]:
        f, z, r, k = ops.split(p, 4, axis=-1)
        c = recur(f, z, states[0])
        return r * ops.tanh(c) + k, [c]
