"""Strongly-typed recurrent networks (T-RNN, T-GRU, T-LSTM): no trained matrix multiplies the state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.cells.recurrence import Recurrence
from seqtasks.cells.registration import register_cell


@register_cell("t_rnn", paper="https://arxiv.org/abs/1602.02218", year=2016, params="2*m*n + n")
class TRNN(Cell):
    r"""Strongly-typed RNN (T-RNN), a gated average of linear maps of the inputs.

    .. math::
        z, f &= x_t W \\
        h_t &= \sigma(f + b) \odot h_{t-1} + (1 - \sigma(f + b)) \odot z

    W is `(features, 2 * units)`, with blocks in the order z, f, and b, the bias of
    f, is `(units,)`.

    The state h is `(batch, units)`, starts as zeros, and is also the output. The
    cell is linear in its state, so engine `parallel` can run it.

    Args:
        units: Number of hidden units, at least 1.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1.

    Reference:
        Balduzzi & Ghifary, Strongly-typed recurrent neural networks (2016).
        https://arxiv.org/abs/1602.02218

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> layer = layers.Recurrent(cells.TRNN(8))
        >>> outputs, (h,) = layer(np.zeros((2, 5, 3), "float32"))
        >>> tuple(outputs.shape), tuple(h.shape), layer.cell.count_params()
        ((2, 5, 8), (2, 8), 56)
    """

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        self.W = self.add_kernel(m, 2 * n)
        self.b = self.add_bias(n)

    def project(self, x: Any) -> Any:
        z, f = ops.split(x @ self.W, 2, axis=-1)
        f = ops.sigmoid(f + self.b)
        return ops.concatenate([f, (1 - f) * z], axis=-1)

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        (h,) = states
        f, z = ops.split(p, 2, axis=-1)
        h = f * h + z
        return h, [h]

    def scan(self, p: Any, states: Sequence[Any], recur: Recurrence) -> tuple[Any, list[Any]]:
        f, z = ops.split(p, 2, axis=-1)
        h = recur(f, z, states[0])
        return h, [h]


class _TwoInputs(Cell):
    """Base class of T-GRU and T-LSTM: gates z, f, o that depend on the current and the previous input."""

    @property
    def state_size(self) -> list[int]:
        return [self.units, 3 * self.units]

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        self.W = self.add_kernel(m, 3 * n)
        self.V = self.add_kernel(m, 3 * n, "previous_kernel")
        self.b = self.add_bias(3 * n)

    def project(self, x: Any) -> Any:
        return ops.concatenate([x @ self.W + self.b, x @ self.V], axis=-1)

    def gates(self, a: Any) -> tuple[Any, Any, Any]:
        """Splits `(…, 3 * units)` into z, f, o, and applies the activation function of each."""
        z, f, o = ops.split(a, 3, axis=-1)
        return z, ops.sigmoid(f), ops.tanh(o)


@register_cell("t_gru", paper="https://arxiv.org/abs/1602.02218", year=2016, params="6*m*n + 3*n")
class TGRU(_TwoInputs):
    r"""Strongly-typed GRU (T-GRU), whose gates depend on the current and previous input.

    .. math::
        z, f, o &= x_t W + x_{t-1} V + b \\
        h_t &= \sigma(f) \odot h_{t-1} + z \odot \tanh(o)

    W and V are `(features, 3 * units)` and b is `(3 * units,)`, with blocks in the
    order z, f, o.

    The states are h, `(batch, units)`, and v, x V of the last valid step,
    `(batch, 3 * units)`. Both start as zeros. h is also the output. The cell is
    linear in its state h, so engine `parallel` can run it.

    Args:
        units: Number of hidden units, at least 1.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1.

    Reference:
        Balduzzi & Ghifary, Strongly-typed recurrent neural networks (2016).
        https://arxiv.org/abs/1602.02218

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> x = np.zeros((2, 5, 3), "float32")
        >>> outputs, (h, v) = layers.Recurrent(cells.TGRU(8))(x)
        >>> tuple(outputs.shape), tuple(h.shape), tuple(v.shape)
        ((2, 5, 8), (2, 8), (2, 24))
    """

    states = ("h", "v")

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        h, previous = states
        a, v = ops.split(p, 2, axis=-1)
        z, f, o = self.gates(a + previous)
        h = f * h + z * o
        return h, [h, v]

    def scan(self, p: Any, states: Sequence[Any], recur: Recurrence) -> tuple[Any, list[Any]]:
        a, v = ops.split(p, 2, axis=-1)
        previous, last_v = recur.shift(v, states[1])
        z, f, o = self.gates(a + previous)
        h = recur(f, z * o, states[0])
        return h, [h, last_v]


@register_cell("t_lstm", paper="https://arxiv.org/abs/1602.02218", year=2016, params="6*m*n + 3*n")
class TLSTM(_TwoInputs):
    r"""Strongly-typed LSTM (T-LSTM), a gated average of the inputs with an output gate.

    .. math::
        z, f, o &= x_t W + x_{t-1} V + b \\
        c_t &= \sigma(f) \odot c_{t-1} + (1 - \sigma(f)) \odot z \\
        h_t &= c_t \odot \tanh(o)

    W and V are `(features, 3 * units)` and b is `(3 * units,)`, with blocks in the
    order z, f, o.

    The states are c, `(batch, units)`, and v, x V of the last valid step,
    `(batch, 3 * units)`. Both start as zeros. The output is h. The cell is linear
    in its state c, so engine `parallel` can run it.

    Args:
        units: Number of hidden units, at least 1.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1.

    Reference:
        Balduzzi & Ghifary, Strongly-typed recurrent neural networks (2016).
        https://arxiv.org/abs/1602.02218

    Example:
        >>> import keras
        >>> from seqtasks.cells import TLSTM
        >>> x = keras.random.normal((2, 5, 3))
        >>> outputs = keras.layers.RNN(TLSTM(8), return_sequences=True)(x)
        >>> tuple(outputs.shape)
        (2, 5, 8)
    """

    states = ("c", "v")

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        c, previous = states
        a, v = ops.split(p, 2, axis=-1)
        z, f, o = self.gates(a + previous)
        c = f * c + (1 - f) * z
        return c * o, [c, v]

    def scan(self, p: Any, states: Sequence[Any], recur: Recurrence) -> tuple[Any, list[Any]]:
        a, v = ops.split(p, 2, axis=-1)
        previous, last_v = recur.shift(v, states[1])
        z, f, o = self.gates(a + previous)
        c = recur(f, (1 - f) * z, states[0])
        return c * o, [c, last_v]
