"""Gated recurrent unit (GRU) with layer normalization."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.cells.layernorm_lstm import layer_norm
from seqtasks.cells.registration import register_cell
from seqtasks.core.errors import ConfigError


@register_cell("layernorm_gru", paper="https://arxiv.org/abs/1607.06450", year=2016, params="3*n*(m + n + 1) + 6*n")
class LayerNormGRU(Cell):
    r"""GRU with layer normalization.

    .. math::
        v &= \alpha_x \odot L(x_t W) + b \qquad u = \alpha_h \odot L(h_{t-1} U) \\
        z &= \sigma(v_z + u_z) \qquad r = \sigma(v_r + u_r) \\
        \tilde h &= \tanh(v_h + r \odot u_h) \\
        h_t &= (1 - z) \odot h_{t-1} + z \odot \tilde h

    W is `(features, 3 * units)`, U is `(units, 3 * units)`, and b and the gains α_x
    and α_h are `(3 * units,)`, with blocks in the order z, r, h. L, defined at
    `layernorm_lstm`, normalizes z and r together and h separately. The paper has
    one bias for each normalization; here b stands for both.

    The state h is `(batch, units)`, starts as zeros, and is also the output.

    Args:
        units: Number of hidden units, at least 1.
        epsilon: Constant that L adds to the variance, above 0; default 0.001.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1, or `epsilon` is not above 0.

    Reference:
        Ba, Kiros & Hinton, Layer normalization (2016), supplementary material.
        https://arxiv.org/abs/1607.06450

    Example:
        >>> import keras
        >>> from seqtasks.cells import LayerNormGRU
        >>> x = keras.random.normal((2, 5, 3))
        >>> outputs = keras.layers.RNN(LayerNormGRU(8), return_sequences=True)(x)
        >>> tuple(outputs.shape)
        (2, 5, 8)
    """

    def __init__(self, units: int, epsilon: float = 1e-3, **kwargs: Any):
        super().__init__(units, **kwargs)
        if epsilon <= 0:
            raise ConfigError(f"epsilon is {epsilon}; allowed: > 0")
        self.epsilon = epsilon

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        self.W = self.add_kernel(m, 3 * n)
        self.U = self.add_recurrent(n, 3 * n)
        self.alpha_x = self.add_bias(3 * n, 1.0, "kernel_gain")
        self.alpha_h = self.add_bias(3 * n, 1.0, "recurrent_gain")
        self.b = self.add_bias(3 * n)

    def _norm(self, v: Any) -> Any:
        gates = 2 * self.units
        parts = v[..., :gates], v[..., gates:]
        return ops.concatenate([layer_norm(part, self.epsilon) for part in parts], axis=-1)

    def project(self, x: Any) -> Any:
        return self.alpha_x * self._norm(x @ self.W) + self.b

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        (h,) = states
        vz, vr, vh = ops.split(p, 3, axis=-1)
        uz, ur, uh = ops.split(self.alpha_h * self._norm(self.dot(h, self.U)), 3, axis=-1)
        z, r = ops.sigmoid(vz + uz), ops.sigmoid(vr + ur)
        h = (1 - z) * h + z * ops.tanh(vh + r * uh)
        return h, [h]
