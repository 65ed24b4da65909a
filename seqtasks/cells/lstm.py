"""Long short-term memory (LSTM)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.cells.registration import register_cell


@register_cell("lstm", paper="https://doi.org/10.1162/089976600300015015", year=2000, params="4*n*(m + n + 1)")
class LSTM(Cell):
    r"""Long short-term memory (LSTM) with forget gate.

    .. math::
        i, f, g, o &= x_t W + h_{t-1} U + b \\
        c_t &= \sigma(f) \odot c_{t-1} + \sigma(i) \odot \tanh(g) \\
        h_t &= \sigma(o) \odot \tanh(c_t)

    W is `(features, 4 * units)`, U is `(units, 4 * units)` and b is `(4 * units,)`,
    with blocks in the gate order i, f, g, o. Shapes and order are those of
    `keras.layers.LSTM`, so weights can be copied between the two. The cell
    `original_lstm` is the LSTM of 1997, without forget gate.

    The state h and the memory cell c are `(batch, units)` each and start as zeros;
    h is also the output.

    Args:
        units: Number of hidden units, at least 1.
        forget_bias: Initial bias of the forget gate; default 1. It is the initial
            value of a trained weight, unlike the constant that TensorFlow 1 added
            at every step.
        activation: Function in place of tanh in both equations, any that Keras accepts,
            such as `"relu"`, `"leaky_relu"` or `"elu"`; default `"tanh"`, the only one of
            the engine `native`.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1.

    Reference:
        Gers, Schmidhuber & Cummins, Learning to forget: Continual prediction with
        LSTM (2000).
        https://doi.org/10.1162/089976600300015015

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> x = np.zeros((2, 5, 3), "float32")
        >>> outputs, (h, c) = layers.Recurrent(cells.LSTM(8))(x)
        >>> tuple(outputs.shape), tuple(h.shape), tuple(c.shape)
        ((2, 5, 8), (2, 8), (2, 8))
    """

    native_loop = "lstm"

    states = ("h", "c")

    def __init__(self, units: int, forget_bias: float = 1.0, activation: Any = "tanh", **kwargs: Any):
        super().__init__(units, **kwargs)
        self.forget_bias = forget_bias
        self.activation = keras.activations.get(activation)

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        self.W = self.add_kernel(m, 4 * n)
        self.U = self.add_recurrent(n, 4 * n)
        self.b = self.add_bias(4 * n, [0, self.forget_bias, 0, 0])

    def project(self, x: Any) -> Any:
        return x @ self.W + self.b

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        h, c = states
        i, f, g, o = ops.split(p + self.dot(h, self.U), 4, axis=-1)
        i, f = self.gate("input", ops.sigmoid(i)), self.gate("forget", ops.sigmoid(f))
        c = f * c + i * self.activation(g)
        h = self.gate("output", ops.sigmoid(o)) * self.activation(c)
        return h, [h, c]

    def keras_layer(self, **arguments: Any) -> keras.layers.RNN:
        return keras.layers.LSTM(self.units, activation=self.activation, **arguments)
