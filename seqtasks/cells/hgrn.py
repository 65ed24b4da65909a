"""Hierarchically gated recurrent network (HGRN)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.cells.complex_state import rotate, rotated_recurrence
from seqtasks.cells.layernorm_lstm import layer_norm
from seqtasks.cells.recurrence import Recurrence
from seqtasks.cells.registration import register_cell
from seqtasks.core.errors import ConfigError

EPSILON = 1e-5  # of the layer normalization


@register_cell("hgrn", paper="https://arxiv.org/abs/2311.04823", year=2023, params="n*(5*m + 2*n + 12)")
class HGRN(Cell):
    r"""Hierarchically gated recurrent network (HGRN): a lower bound of the forget gate.

    .. math::
        c_t &= \mathrm{SiLU}(x_t W_r + b_r) + i \, \mathrm{SiLU}(x_t W_i + b_i) \\
        \lambda_t &= \gamma + (1 - \gamma) \odot \sigma(x_t W_\lambda + b_\lambda) \\
        h_t &= \lambda_t \odot e^{i \theta} \odot h_{t-1} + (1 - \lambda_t) \odot c_t \\
        o_t &= \mathrm{LayerNorm}(\sigma(x_t W_g + b_g) \odot [\mathrm{Re}(h_t), \mathrm{Im}(h_t)]) W_o + b_o

    W is `(features, 5 * units)` and b is `(5 * units,)`, with blocks in the order λ, r,
    i and, of twice the width, g; W_o is `(2 * units, units)`; θ and γ are `(units,)`.
    γ is the sigmoid of a weight. In the paper, the bounds of a stack of layers
    are cumulative sums of a softmax over the layers, and grow from 0 in the first to
    almost 1 in the last; a cell does not see its layer, so `lower_bound` sets the value
    at the start. θ starts as 10000^(-2k/units) for unit k.

    The states re and im, the real and imaginary parts of h, are `(batch, units)`
    each and start as zeros. The output is o. The cell is linear in its state, so
    engine `parallel` can run it.

    Args:
        units: Number of hidden units, at least 1.
        lower_bound: Initial lower bound γ of the forget gate, above 0 and below 1;
            default 0.5.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1, or `lower_bound` is not between 0 and 1.

    Reference:
        Qin, Yang & Zhong, Hierarchically gated recurrent neural network for sequence
        modeling (2023).
        https://arxiv.org/abs/2311.04823

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> layer = layers.Recurrent(cells.HGRN(8), engine="parallel")
        >>> outputs, (re, im) = layer(np.zeros((2, 5, 3), "float32"))
        >>> tuple(outputs.shape), tuple(re.shape), tuple(im.shape)
        ((2, 5, 8), (2, 8), (2, 8))
    """

    states = ("re", "im")

    def __init__(self, units: int, lower_bound: float = 0.5, **kwargs: Any):
        super().__init__(units, **kwargs)
        if not 0 < lower_bound < 1:
            raise ConfigError(f"lower_bound is {lower_bound}; allowed: > 0 and < 1; choose 0.01 for almost none")
        self.lower_bound = lower_bound

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        self.W = self.add_kernel(m, 5 * n)
        self.b = self.add_bias(5 * n)
        self.theta = self.add_bias(n, 10000.0 ** (-2 * np.arange(n) / n), "theta")
        self.bound = self.add_bias(n, math.log(self.lower_bound / (1 - self.lower_bound)), "lower_bound")
        self.gain = self.add_bias(2 * n, 1.0, "norm_gain")
        self.shift = self.add_bias(2 * n, name="norm_bias")
        self.Wo = self.add_kernel(2 * n, n, "output_kernel")
        self.bo = self.add_bias(n, name="output_bias")

    def project(self, x: Any) -> Any:
        n = self.units
        f, c, g = ops.split(x @ self.W + self.b, [n, 3 * n], axis=-1)
        bound = ops.sigmoid(self.bound)
        f = bound + (1 - bound) * ops.sigmoid(f)
        return ops.concatenate([f, ops.concatenate([1 - f, 1 - f], axis=-1) * ops.silu(c), ops.sigmoid(g)], axis=-1)

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        f, re, im, g = self.parts(p)
        f = self.gate("forget", f)
        old_re, old_im = rotate(f * states[0], f * states[1], ops.convert_to_tensor(self.theta))
        re, im = old_re + re, old_im + im
        return self.read(re, im, g), [re, im]

    def scan(self, p: Any, states: Sequence[Any], recur: Recurrence) -> tuple[Any, list[Any]]:
        f, re, im, g = self.parts(p)
        theta = ops.convert_to_tensor(self.theta)
        re, im = rotated_recurrence(f, theta, re, im, (states[0], states[1]), recur)
        return self.read(re, im, g), [re, im]

    def parts(self, p: Any) -> list[Any]:
        """Forget gate, both parts of the summand, and output gate, from the projected inputs."""
        n = self.units
        return ops.split(p, [n, 2 * n, 3 * n], axis=-1)

    def read(self, re: Any, im: Any, g: Any) -> Any:
        """Outputs o, `(…, units)`."""
        v = layer_norm(g * ops.concatenate([re, im], axis=-1), EPSILON)
        return (v * self.gain + self.shift) @ self.Wo + self.bo
