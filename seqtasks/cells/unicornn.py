"""Undamped independent controlled oscillatory recurrent neural network (UnICORNN)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.cells.registration import register_cell
from seqtasks.core.errors import ConfigError


@register_cell("unicornn", paper="https://arxiv.org/abs/2103.05487", year=2021, params="n*(m + 3)")
class UnICORNN(Cell):
    r"""UnICORNN, a network of undamped independent oscillators with trained step sizes.

    .. math::
        d &= \Delta \sigma(c) \\
        z_t &= z_{t-1} - d \odot (\tanh(w \odot y_{t-1} + x_t V + b) + \alpha y_{t-1}) \\
        y_t &= y_{t-1} + d \odot z_t

    V is `(features, units)`; w, b and c are `(units,)`. As in the authors' code, w
    starts uniform in [0, 1] and c in [-0.1, 0.1].

    The states y (position) and z (velocity) are `(batch, units)` each and start as
    zeros; y is also the output.

    Args:
        units: Number of hidden units, at least 1.
        dt: Largest step size Δ, above 0; default 0.19. Both defaults are those of
            the authors for permuted MNIST.
        alpha: Coefficient α of the restoring force, which sets the frequency;
            default 30.65.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1, or `dt` is not above 0.

    Reference:
        Rusch & Mishra, UnICORNN: A recurrent model for learning very long time
        dependencies (2021).
        https://arxiv.org/abs/2103.05487

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> x = np.zeros((2, 5, 3), "float32")
        >>> outputs, (y, z) = layers.Recurrent(cells.UnICORNN(8, dt=0.1))(x)
        >>> tuple(outputs.shape), tuple(y.shape), tuple(z.shape)
        ((2, 5, 8), (2, 8), (2, 8))
    """

    states = ("y", "z")

    def __init__(self, units: int, dt: float = 0.19, alpha: float = 30.65, **kwargs: Any):
        super().__init__(units, **kwargs)
        if dt <= 0:
            raise ConfigError(f"dt is {dt}; allowed: > 0")
        self.dt = dt
        self.alpha = alpha

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        self.V = self.add_kernel(m, n)
        self.w = self.add_weight((n,), keras.initializers.RandomUniform(0.0, 1.0), name="recurrent_gain")
        self.b = self.add_bias(n)
        self.c = self.add_weight((n,), keras.initializers.RandomUniform(-0.1, 0.1), name="step_bias")

    def project(self, x: Any) -> Any:
        return x @ self.V + self.b

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        y, z = states
        d = self.dt * ops.sigmoid(self.c)
        z = z - d * (ops.tanh(p + self.w * self.drop(y)) + self.alpha * y)
        y = y + d * z
        return y, [y, z]
