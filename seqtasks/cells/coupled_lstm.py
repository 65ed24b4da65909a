"""LSTM with coupled input and forget gate (CIFG)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.cells.registration import register_cell


@register_cell("coupled_lstm", paper="https://arxiv.org/abs/1503.04069", year=2015, params="3*n*(m + n + 1)")
class CoupledLSTM(Cell):
    r"""LSTM with coupled input and forget gate (CIFG).

    .. math::
        f, g, o &= x_t W + h_{t-1} U + b \\
        c_t &= \sigma(f) \odot c_{t-1} + (1 - \sigma(f)) \odot \tanh(g) \\
        h_t &= \sigma(o) \odot \tanh(c_t)

    W is `(features, 3 * units)`, U is `(units, 3 * units)` and b is `(3 * units,)`,
    with blocks in the gate order f, g, o. Two differences to the paper: there are
    no peephole connections, and the forget gate is the trained one, where the paper
    trains the input gate i = 1 - f.

    The state h and the memory cell c are `(batch, units)` each and start as zeros;
    h is also the output.

    Args:
        units: Number of hidden units, at least 1.
        forget_bias: Initial bias of the forget gate; default 1. Above 0, the cell
            at first keeps more of its memory than it adds.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1.

    Reference:
        Greff, Srivastava, Koutník, Steunebrink & Schmidhuber, LSTM: A search space
        odyssey (2015).
        https://arxiv.org/abs/1503.04069

    Example:
        >>> from seqtasks.cells import CoupledLSTM
        >>> cell = CoupledLSTM(2, forget_bias=3.0)
        >>> cell.build((None, 4))
        >>> cell.b.numpy().tolist()  # the gates f, g, o of two units
        [3.0, 3.0, 0.0, 0.0, 0.0, 0.0]
    """

    native_loop = "coupled_lstm"

    states = ("h", "c")

    def __init__(self, units: int, forget_bias: float = 1.0, **kwargs: Any):
        super().__init__(units, **kwargs)
        self.forget_bias = forget_bias

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        self.W = self.add_kernel(m, 3 * n)
        self.U = self.add_recurrent(n, 3 * n)
        self.b = self.add_bias(3 * n, [self.forget_bias, 0, 0])

    def project(self, x: Any) -> Any:
        return x @ self.W + self.b

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        h, c = states
        f, g, o = ops.split(p + self.dot(h, self.U), 3, axis=-1)
        f = self.gate("forget", ops.sigmoid(f))
        c = f * c + (1 - f) * ops.tanh(g)
        h = self.gate("output", ops.sigmoid(o)) * ops.tanh(c)
        return h, [h, c]
