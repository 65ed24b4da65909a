"""MinimalRNN."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.cells.registration import register_cell


@register_cell("minimal_rnn", paper="https://arxiv.org/abs/1711.06788", year=2017, params="m*n + 2*n*n + 2*n")
class MinimalRNN(Cell):
    r"""MinimalRNN, a gated average of the state and the encoded input.

    .. math::
        z &= \tanh(x_t W + b) \\
        u &= \sigma(h_{t-1} U + z V + b_u) \\
        h_t &= u \odot h_{t-1} + (1 - u) \odot z

    W is `(features, units)`, U and V are `(units, units)`, b and b_u are
    `(units,)`. In the paper, z is the output of any network that encodes the input;
    here it is one layer.

    The state h is `(batch, units)`, starts as zeros, and is also the output.

    Args:
        units: Number of hidden units, at least 1.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1.

    Reference:
        Chen, MinimalRNN: Toward more interpretable and trainable recurrent neural
        networks (2017).
        https://arxiv.org/abs/1711.06788

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> x = np.zeros((2, 5, 3), "float32")
        >>> outputs, (h,) = layers.Recurrent(cells.MinimalRNN(8))(x)
        >>> tuple(outputs.shape), tuple(h.shape)
        ((2, 5, 8), (2, 8))
    """

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        self.W = self.add_kernel(m, n)
        self.b = self.add_bias(n)
        self.V = self.add_kernel(n, n, "latent_kernel")
        self.U = self.add_recurrent(n, n)
        self.b_u = self.add_bias(n, name="gate_bias")

    def project(self, x: Any) -> Any:
        z = ops.tanh(x @ self.W + self.b)
        return ops.concatenate([z, z @ self.V + self.b_u], axis=-1)

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        (h,) = states
        z, u = ops.split(p, 2, axis=-1)
        u = ops.sigmoid(u + self.dot(h, self.U))
        h = u * h + (1 - u) * z
        return h, [h]
