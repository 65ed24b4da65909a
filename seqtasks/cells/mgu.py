"""Minimal gated units (MGU): GRUs with one gate, in variants whose gate has fewer and fewer inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.cells.registration import register_cell


@register_cell("mgu", paper="https://arxiv.org/abs/1603.09420", year=2016, params="2*n*(m + n + 1)")
class MGU(Cell):
    r"""Minimal gated unit (MGU), a GRU whose reset and update gates are one.

    .. math::
        f &= \sigma(x_t W_f + h_{t-1} U_f + b_f) \\
        \tilde h &= \tanh(x_t W_h + (f \odot h_{t-1}) U_h + b_h) \\
        h_t &= (1 - f) \odot h_{t-1} + f \odot \tilde h

    W is `(features, 2 * units)`, U is `(units, 2 * units)` and b is `(2 * units,)`,
    with blocks in the order f, h.

    The state h is `(batch, units)`, starts as zeros, and is also the output.

    Args:
        units: Number of hidden units, at least 1.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1.

    Reference:
        Zhou, Wu, Zhang & Zhou, Minimal gated unit for recurrent neural networks
        (2016).
        https://arxiv.org/abs/1603.09420

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> layer = layers.Recurrent(cells.MGU(8))
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

    def prepare(self) -> dict[str, Any]:
        n = self.units
        return {"U_f": self.U[:, :n], "U_h": self.U[:, n:]}

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        (h,) = states
        n = self.units
        f = self.gate("forget", ops.sigmoid(p[:, :n] + self.dot(h, self.prepared("U_f"))))
        h = (1 - f) * h + f * ops.tanh(p[:, n:] + self.dot(f * h, self.prepared("U_h")))
        return h, [h]


@register_cell("mgu1", paper="https://arxiv.org/abs/1701.03452", year=2017, params="n*(m + n + 1) + n*(n + 1)")
class MGU1(Cell):
    r"""Minimal gated unit 1 (MGU1), whose gate does not depend on the input.

    .. math::
        f &= \sigma(h_{t-1} U_f + b_f) \\
        \tilde h &= \tanh(x_t W + (f \odot h_{t-1}) U_h + b_h) \\
        h_t &= (1 - f) \odot h_{t-1} + f \odot \tilde h

    W is `(features, units)`, U is `(units, 2 * units)` and b is `(2 * units,)`,
    with blocks in the order f, h.

    The state h is `(batch, units)`, starts as zeros, and is also the output.

    Args:
        units: Number of hidden units, at least 1.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1.

    Reference:
        Heck & Salem, Simplified minimal gated unit variations for recurrent neural
        networks (2017).
        https://arxiv.org/abs/1701.03452

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> layer = layers.Recurrent(cells.MGU1(8))
        >>> outputs, (h,) = layer(np.zeros((2, 5, 3), "float32"))
        >>> tuple(outputs.shape), tuple(h.shape), layer.cell.count_params()
        ((2, 5, 8), (2, 8), 168)
    """

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        self.W = self.add_kernel(m, n)
        self.U = self.add_recurrent(n, 2 * n)
        self.b = self.add_bias(2 * n)

    def project(self, x: Any) -> Any:
        return x @ self.W + self.b[self.units :]

    def prepare(self) -> dict[str, Any]:
        n = self.units
        return {"U_f": self.U[:, :n], "U_h": self.U[:, n:]}

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        (h,) = states
        n = self.units
        f = ops.sigmoid(self.dot(h, self.prepared("U_f")) + self.b[:n])
        h = (1 - f) * h + f * ops.tanh(p + self.dot(f * h, self.prepared("U_h")))
        return h, [h]


@register_cell("mgu2", paper="https://arxiv.org/abs/1701.03452", year=2017, params="n*(m + n + 1) + n*n")
class MGU2(Cell):
    r"""Minimal gated unit 2 (MGU2), whose gate depends on the state only, without bias.

    .. math::
        f &= \sigma(h_{t-1} U_f) \\
        \tilde h &= \tanh(x_t W + (f \odot h_{t-1}) U_h + b) \\
        h_t &= (1 - f) \odot h_{t-1} + f \odot \tilde h

    W is `(features, units)`, U is `(units, 2 * units)`, with blocks in the order f,
    h, and b is `(units,)`.

    The state h is `(batch, units)`, starts as zeros, and is also the output.

    Args:
        units: Number of hidden units, at least 1.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1.

    Reference:
        Heck & Salem, Simplified minimal gated unit variations for recurrent neural
        networks (2017).
        https://arxiv.org/abs/1701.03452

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> layer = layers.Recurrent(cells.MGU2(8))
        >>> outputs, (h,) = layer(np.zeros((2, 5, 3), "float32"))
        >>> tuple(outputs.shape), tuple(h.shape), layer.cell.count_params()
        ((2, 5, 8), (2, 8), 160)
    """

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        self.W = self.add_kernel(m, n)
        self.U = self.add_recurrent(n, 2 * n)
        self.b = self.add_bias(n)

    def project(self, x: Any) -> Any:
        return x @ self.W + self.b

    def prepare(self) -> dict[str, Any]:
        n = self.units
        return {"U_f": self.U[:, :n], "U_h": self.U[:, n:]}

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        (h,) = states
        f = ops.sigmoid(self.dot(h, self.prepared("U_f")))
        h = (1 - f) * h + f * ops.tanh(p + self.dot(f * h, self.prepared("U_h")))
        return h, [h]


@register_cell("mgu3", paper="https://arxiv.org/abs/1701.03452", year=2017, params="n*(m + n + 1) + n")
class MGU3(Cell):
    r"""Minimal gated unit 3 (MGU3), whose gate is a bias, the same at every step.

    .. math::
        f &= \sigma(b_f) \\
        \tilde h &= \tanh(x_t W + (f \odot h_{t-1}) U + b_h) \\
        h_t &= (1 - f) \odot h_{t-1} + f \odot \tilde h

    W is `(features, units)`, U is `(units, units)` and b is `(2 * units,)`, with
    blocks in the order f, h.

    The state h is `(batch, units)`, starts as zeros, and is also the output.

    Args:
        units: Number of hidden units, at least 1.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1.

    Reference:
        Heck & Salem, Simplified minimal gated unit variations for recurrent neural
        networks (2017).
        https://arxiv.org/abs/1701.03452

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> layer = layers.Recurrent(cells.MGU3(8))
        >>> outputs, (h,) = layer(np.zeros((2, 5, 3), "float32"))
        >>> tuple(outputs.shape), tuple(h.shape), layer.cell.count_params()
        ((2, 5, 8), (2, 8), 104)
    """

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        self.W = self.add_kernel(m, n)
        self.U = self.add_recurrent(n, n)
        self.b = self.add_bias(2 * n)

    def project(self, x: Any) -> Any:
        return x @ self.W + self.b[self.units :]

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        (h,) = states
        f = ops.sigmoid(self.b[: self.units])
        h = (1 - f) * h + f * ops.tanh(p + self.dot(f * h, self.U))
        return h, [h]
