"""minLSTM, a long short-term memory whose gates do not depend on the state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.cells.recurrence import Recurrence
from seqtasks.cells.registration import register_cell


@register_cell("min_lstm", paper="https://arxiv.org/abs/2410.01201", year=2024, params="3*n*(m + 1)")
class MinLSTM(Cell):
    r"""minLSTM, whose gates depend on the input only and sum to one; linear in its state.

    .. math::
        f, i, \tilde h &= x_t W + b \\
        f' &= \sigma(f) / (\sigma(f) + \sigma(i)) \\
        h_t &= f' \odot h_{t-1} + (1 - f') \odot \tilde h

    W is `(features, 3 * units)` and b is `(3 * units,)`, with blocks in the order
    f, i, h. f' is computed directly from f and i, because σ(f) and σ(i) may both
    underflow to zero.

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
        >>> import keras
        >>> from seqtasks.cells import MinLSTM
        >>> x = keras.random.normal((2, 5, 3))
        >>> outputs = keras.layers.RNN(MinLSTM(8), return_sequences=True)(x)
        >>> tuple(outputs.shape)
        (2, 5, 8)
    """

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        self.W = self.add_kernel(m, 3 * n)
        self.b = self.add_bias(3 * n)

    def project(self, x: Any) -> Any:
        f, i, h = ops.split(x @ self.W + self.b, 3, axis=-1)
        # f' = (1 + exp(-i)) / (2 + exp(-f) + exp(-i)), because 1/σ(v) = 1 + exp(-v). All terms are divided by the
        # largest one to avoid overflow; it cancels in f'. The same with logarithms was three times slower.
        largest = ops.stop_gradient(ops.maximum(ops.maximum(-f, -i), 0))
        f, i = (ops.exp(-largest) + ops.exp(-v - largest) for v in (f, i))
        f = i / (f + i)
        return ops.concatenate([f, (1 - f) * h], axis=-1)

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        (h,) = states
        f, new = ops.split(p, 2, axis=-1)
        h = f * h + new
        return h, [h]

    def scan(self, p: Any, states: Sequence[Any], recur: Recurrence) -> tuple[Any, list[Any]]:
        f, new = ops.split(p, 2, axis=-1)
        h = recur(f, new, states[0])
        return h, [h]
