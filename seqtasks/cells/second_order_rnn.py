"""Second-order recurrent network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.cells.registration import register_cell


@register_cell("second_order_rnn", paper="https://doi.org/10.1162/neco.1992.4.3.393", year=1992, params="m*n*n + n")
class SecondOrderRNN(Cell):
    r"""Second-order recurrent network, whose recurrent matrix is linear in the input.

    .. math::
        h_{t,k} = \sigma\Big(\sum_{i,j} h_{t-1,i} \, x_{t,j} \, W_{ijk} + b_k\Big)

    The tensor W is kept as a matrix `(units * features, units)`, b is `(units,)`. With
    one-hot inputs, each symbol has a transition matrix of its own, as a finite
    automaton has. The paper has no bias; it is that of Goudreau et al. (1994).

    The state h is `(batch, units)`, starts as zeros, and is also the output. In the
    paper its first unit starts as 1.

    Args:
        units: Number of hidden units, at least 1.
        activation: Keras activation σ; default sigmoid, as in the paper.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1.

    Reference:
        Giles, Miller, Chen, Chen, Sun & Lee, Learning and extracting finite state
        automata with second-order recurrent neural networks (1992).
        https://doi.org/10.1162/neco.1992.4.3.393

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> layer = layers.Recurrent(cells.SecondOrderRNN(8, activation="tanh"))
        >>> outputs, (h,) = layer(np.zeros((2, 5, 3), "float32"))
        >>> tuple(outputs.shape), tuple(h.shape), tuple(layer.cell.W.shape)
        ((2, 5, 8), (2, 8), (24, 8))
    """

    def __init__(self, units: int, activation: Any = "sigmoid", **kwargs: Any):
        super().__init__(units, **kwargs)
        self.activation = keras.activations.get(activation)

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        assert m is not None
        self.W = self.add_recurrent(n * m, n)
        self.b = self.add_bias(n)

    def project(self, x: Any) -> Any:
        return x

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        products = ops.expand_dims(self.drop(states[0]), 2) * ops.expand_dims(p, 1)
        h = self.activation(ops.reshape(products, (-1, self.units * p.shape[-1])) @ self.W + self.b)
        return h, [h]
