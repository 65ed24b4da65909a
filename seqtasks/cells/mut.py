"""MUT1, MUT2 and MUT3: the three best cells of an evolutionary search that started from the GRU and the LSTM."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.cells.registration import register_cell


@register_cell(
    "mut1", paper="https://proceedings.mlr.press/v37/jozefowicz15.html", year=2015, params="3*n*(m + 1) + 2*n*n"
)
class MUT1(Cell):
    r"""MUT1, a mutated GRU whose update gate depends on the input only.

    .. math::
        z &= \sigma(x_t W_z + b_z) \\
        r &= \sigma(x_t W_r + h_{t-1} U_r + b_r) \\
        \tilde h &= \tanh((r \odot h_{t-1}) U_h + \tanh(x_t W_h) + b_h) \\
        h_t &= z \odot \tilde h + (1 - z) \odot h_{t-1}

    W is `(features, 3 * units)` and b is `(3 * units,)`, with blocks in the order
    z, r, h; U is `(units, 2 * units)`, with blocks in the order r, h. The paper has
    x itself in place of x W_h, which needs as many features as units.

    The state h is `(batch, units)`, starts as zeros, and is also the output.

    Args:
        units: Number of hidden units, at least 1.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1.

    Reference:
        Jozefowicz, Zaremba & Sutskever, An empirical exploration of recurrent
        network architectures (2015).
        https://proceedings.mlr.press/v37/jozefowicz15.html

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> layer = layers.Recurrent(cells.MUT1(8))
        >>> outputs, (h,) = layer(np.zeros((2, 5, 3), "float32"))
        >>> tuple(outputs.shape), tuple(h.shape), layer.cell.count_params()
        ((2, 5, 8), (2, 8), 224)
    """

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        self.W = self.add_kernel(m, 3 * n)
        self.U = self.add_recurrent(n, 2 * n)
        self.b = self.add_bias(3 * n)

    def project(self, x: Any) -> Any:
        n, v = self.units, x @ self.W
        z = ops.sigmoid(v[..., :n] + self.b[:n])
        new = ops.tanh(v[..., 2 * n :]) + self.b[2 * n :]
        return ops.concatenate([z, v[..., n : 2 * n] + self.b[n : 2 * n], new], axis=-1)

    def prepare(self) -> dict[str, Any]:
        n = self.units
        return {"U_r": self.U[:, :n], "U_h": self.U[:, n:]}

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        (h,) = states
        z, r, new = ops.split(p, 3, axis=-1)
        r = ops.sigmoid(r + self.dot(h, self.prepared("U_r")))
        h = z * ops.tanh(new + self.dot(r * h, self.prepared("U_h"))) + (1 - z) * h
        return h, [h]


@register_cell("mut2", paper="https://proceedings.mlr.press/v37/jozefowicz15.html", year=2015, params="3*n*(m + n + 1)")
class MUT2(Cell):
    r"""MUT2, the mutated GRU that is closest to the GRU.

    .. math::
        z &= \sigma(x_t W_z + h_{t-1} U_z + b_z) \\
        r &= \sigma(x_t W_r + h_{t-1} U_r + b_r) \\
        \tilde h &= \tanh((r \odot h_{t-1}) U_h + x_t W_h + b_h) \\
        h_t &= z \odot \tilde h + (1 - z) \odot h_{t-1}

    W is `(features, 3 * units)`, U is `(units, 3 * units)` and b is `(3 * units,)`,
    with blocks in the order z, r, h. The paper has x itself in place of x W_r,
    which needs as many features as units. With W_r, the cell is `gru_v1` with z and
    1 - z exchanged.

    The state h is `(batch, units)`, starts as zeros, and is also the output.

    Args:
        units: Number of hidden units, at least 1.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1.

    Reference:
        Jozefowicz, Zaremba & Sutskever, An empirical exploration of recurrent
        network architectures (2015).
        https://proceedings.mlr.press/v37/jozefowicz15.html

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> x = np.zeros((2, 5, 3), "float32")
        >>> outputs, (h,) = layers.Recurrent(cells.MUT2(8))(x)
        >>> tuple(outputs.shape), tuple(h.shape)
        ((2, 5, 8), (2, 8))
    """

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        self.W = self.add_kernel(m, 3 * n)
        self.U = self.add_recurrent(n, 3 * n)
        self.b = self.add_bias(3 * n)

    def project(self, x: Any) -> Any:
        return x @ self.W + self.b

    def prepare(self) -> dict[str, Any]:
        n = 2 * self.units
        return {"U_zr": self.U[:, :n], "U_h": self.U[:, n:]}

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        (h,) = states
        n = 2 * self.units
        z, r = ops.split(ops.sigmoid(p[:, :n] + self.dot(h, self.prepared("U_zr"))), 2, axis=-1)
        h = z * ops.tanh(p[:, n:] + self.dot(r * h, self.prepared("U_h"))) + (1 - z) * h
        return h, [h]


@register_cell("mut3", paper="https://proceedings.mlr.press/v37/jozefowicz15.html", year=2015, params="3*n*(m + n + 1)")
class MUT3(Cell):
    r"""MUT3, a mutated GRU whose update gate depends on tanh of the state.

    .. math::
        z &= \sigma(x_t W_z + \tanh(h_{t-1}) U_z + b_z) \\
        r &= \sigma(x_t W_r + h_{t-1} U_r + b_r) \\
        \tilde h &= \tanh((r \odot h_{t-1}) U_h + x_t W_h + b_h) \\
        h_t &= z \odot \tilde h + (1 - z) \odot h_{t-1}

    W is `(features, 3 * units)`, U is `(units, 3 * units)` and b is `(3 * units,)`,
    with blocks in the order z, r, h.

    The state h is `(batch, units)`, starts as zeros, and is also the output.

    Args:
        units: Number of hidden units, at least 1.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1.

    Reference:
        Jozefowicz, Zaremba & Sutskever, An empirical exploration of recurrent
        network architectures (2015).
        https://proceedings.mlr.press/v37/jozefowicz15.html

    Example:
        >>> import keras
        >>> from seqtasks.cells import MUT3
        >>> x = keras.random.normal((2, 5, 3))
        >>> output = keras.layers.RNN(MUT3(8))(x)
        >>> tuple(output.shape)
        (2, 8)
    """

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        self.W = self.add_kernel(m, 3 * n)
        self.U = self.add_recurrent(n, 3 * n)
        self.b = self.add_bias(3 * n)

    def project(self, x: Any) -> Any:
        return x @ self.W + self.b

    def prepare(self) -> dict[str, Any]:
        n = self.units
        return {"U_z": self.U[:, :n], "U_r": self.U[:, n : 2 * n], "U_h": self.U[:, 2 * n :]}

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        (h,) = states
        z, r, new = ops.split(p, 3, axis=-1)
        z = ops.sigmoid(z + self.dot(ops.tanh(h), self.prepared("U_z")))
        r = ops.sigmoid(r + self.dot(h, self.prepared("U_r")))
        h = z * ops.tanh(new + self.dot(r * h, self.prepared("U_h"))) + (1 - z) * h
        return h, [h]
