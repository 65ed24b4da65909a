"""Simple recurrent network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from seqtasks.cells.base import Cell
from seqtasks.cells.registration import register_cell


@register_cell("simple_rnn", paper="https://doi.org/10.1207/s15516709cog1402_1", year=1990, params="n*(m + n + 1)")
class SimpleRNN(Cell):
    r"""Simple RNN, a fully connected recurrent layer: h' = tanh(x W + h U + b).

    .. math:: h_t = \phi(x_t W + h_{t-1} U + b)

    W is `(features, units)`, U is `(units, units)` and b is `(units,)`. Shapes and
    order are those of `keras.layers.SimpleRNN`, so weights can be copied between
    the two.

    The state h is `(batch, units)`, starts as zeros, and is also the output.

    Args:
        units: Number of hidden units, at least 1.
        activation: Activation function φ, any that Keras accepts; default `"tanh"`.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1.

    Reference:
        Elman, Finding structure in time, Cognitive Science 14 (1990).
        https://doi.org/10.1207/s15516709cog1402_1

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> x = np.zeros((2, 5, 3), "float32")
        >>> outputs, (h,) = layers.Recurrent(cells.SimpleRNN(8, activation="relu"))(x)
        >>> tuple(outputs.shape), tuple(h.shape)
        ((2, 5, 8), (2, 8))
    """

    native_loop = "simple_rnn"

    def __init__(self, units: int, activation: Any = "tanh", **kwargs: Any):
        super().__init__(units, **kwargs)
        self.activation = keras.activations.get(activation)

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        self.W = self.add_kernel(m, n)
        self.U = self.add_recurrent(n, n)
        self.b = self.add_bias(n)

    def project(self, x: Any) -> Any:
        return x @ self.W + self.b

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        (h,) = states
        h = self.activation(p + self.dot(h, self.U))
        return h, [h]

    def keras_layer(self, use_cudnn: Any = None, **arguments: Any) -> keras.layers.RNN:
        return keras.layers.SimpleRNN(self.units, activation=self.activation, **arguments)
