"""Long short-term memory (LSTM) with layer normalization."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.cells.registration import register_cell
from seqtasks.core.errors import ConfigError


def layer_norm(v: Any, epsilon: float) -> Any:
    """Normalizes to mean 0 and variance 1 over the last axis, without gain and bias.

    Args:
        v: Tensor of any shape with a last axis.
        epsilon: Constant that is added to the variance, above 0.

    Returns:
        A tensor of the shape of `v`.
    """
    mean, variance = ops.moments(v, axes=-1, keepdims=True)
    return (v - mean) * ops.rsqrt(variance + epsilon)


@register_cell("layernorm_lstm", paper="https://arxiv.org/abs/1607.06450", year=2016, params="4*n*(m + n + 1) + 10*n")
class LayerNormLSTM(Cell):
    r"""LSTM with layer normalization.

    .. math::
        i, f, g, o &= \alpha_x \odot L(x_t W) + \alpha_h \odot L(h_{t-1} U) + b \\
        c_t &= \sigma(f) \odot c_{t-1} + \sigma(i) \odot \tanh(g) \\
        h_t &= \sigma(o) \odot \tanh(\alpha_c \odot L(c_t) + \beta_c) \\
        L(v) &= (v - \mathrm{mean}(v)) / \sqrt{\mathrm{var}(v) + \epsilon}

    W is `(features, 4 * units)`, U is `(units, 4 * units)`, b and the gains α_x and
    α_h are `(4 * units,)`, with blocks in the gate order i, f, g, o; α_c and β_c
    are `(units,)`. L normalizes all four blocks together. The paper has one bias
    for each of the first two normalizations; here b stands for both.

    The state h and the memory cell c are `(batch, units)` each and start as zeros;
    h is also the output.

    Args:
        units: Number of hidden units, at least 1.
        forget_bias: Initial bias of the forget gate; default 1.
        epsilon: Constant ε that L adds to the variance, above 0; default 0.001.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1, or `epsilon` is not above 0.

    Reference:
        Ba, Kiros & Hinton, Layer normalization (2016), equations 20 to 22.
        https://arxiv.org/abs/1607.06450

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> x = np.zeros((2, 5, 3), "float32")
        >>> outputs, (h, c) = layers.Recurrent(cells.LayerNormLSTM(8))(x)
        >>> tuple(outputs.shape), tuple(h.shape), tuple(c.shape)
        ((2, 5, 8), (2, 8), (2, 8))
    """

    states = ("h", "c")

    def __init__(self, units: int, forget_bias: float = 1.0, epsilon: float = 1e-3, **kwargs: Any):
        super().__init__(units, **kwargs)
        if epsilon <= 0:
            raise ConfigError(f"epsilon is {epsilon}; allowed: > 0")
        self.forget_bias = forget_bias
        self.epsilon = epsilon

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        self.W = self.add_kernel(m, 4 * n)
        self.U = self.add_recurrent(n, 4 * n)
        self.alpha_x = self.add_bias(4 * n, 1.0, "kernel_gain")
        self.alpha_h = self.add_bias(4 * n, 1.0, "recurrent_gain")
        self.b = self.add_bias(4 * n, [0, self.forget_bias, 0, 0])
        self.alpha_c = self.add_bias(n, 1.0, "cell_gain")
        self.beta_c = self.add_bias(n, name="cell_bias")

    def project(self, x: Any) -> Any:
        return self.alpha_x * layer_norm(x @ self.W, self.epsilon) + self.b

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        h, c = states
        a = p + self.alpha_h * layer_norm(self.dot(h, self.U), self.epsilon)
        i, f, g, o = ops.split(a, 4, axis=-1)
        c = ops.sigmoid(f) * c + ops.sigmoid(i) * ops.tanh(g)
        h = ops.sigmoid(o) * ops.tanh(self.alpha_c * layer_norm(c, self.epsilon) + self.beta_c)
        return h, [h, c]
