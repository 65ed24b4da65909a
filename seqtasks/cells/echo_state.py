"""The echo state network."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from seqtasks.cells.base import Cell, register_cell
from seqtasks.core.errors import ConfigError


@register_cell(
    "echo_state", paper="https://www.ai.rug.nl/minds/uploads/EchoStatesTechRep.pdf", year=2001, params="n*(n + 1)"
)
class EchoState(Cell):
    r"""Echo state network, a fixed random reservoir with a trained linear read-out.

    .. math::
        h_t &= (1 - a) h_{t-1} + a \tanh(x_t W + h_{t-1} R) \\
        y_t &= h_t V + c

    with a the leak. W is (features, units), uniform, and R is (units, units), sparse: both
    stay as drawn. V is (units, units), c is (units,): they are trained, by gradients like
    the rest of a model, where the paper solves a linear regression.

    Reference: Jaeger, The "echo state" approach to analysing and training recurrent
    neural networks (2001); the leak is that of Jaeger et al., Neural Networks 20 (2007).

    Args:
        units: width of the reservoir and of the output.
        spectral_radius: of R.
        leak: 1 is the network without leak; less is slower.
        connectivity: part of the entries of R that are not zero. A draw without a cycle
            would forget everything, and is replaced by a dense one.
        input_scale: W is uniform within ±input_scale.
    """

    def __init__(
        self,
        units: int,
        spectral_radius: float = 0.9,
        leak: float = 1.0,
        connectivity: float = 0.1,
        input_scale: float = 1.0,
        **kwargs: Any,
    ):
        super().__init__(units, **kwargs)
        if spectral_radius <= 0 or input_scale <= 0:
            raise ConfigError(f"spectral_radius is {spectral_radius}, input_scale is {input_scale}; allowed: > 0")
        if not (0 < leak <= 1 and 0 < connectivity <= 1):
            raise ConfigError(f"leak is {leak}, connectivity is {connectivity}; allowed: > 0 and ≤ 1")
        self.spectral_radius = spectral_radius
        self.leak = leak
        self.connectivity = connectivity
        self.input_scale = input_scale

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        uniform = keras.initializers.RandomUniform(-self.input_scale, self.input_scale)
        self.W = self.add_weight((m, n), uniform, trainable=False, name="kernel")
        self.R = self.add_weight((n, n), self.draw, trainable=False, name="recurrent_reservoir")
        self.V = self.add_kernel(n, n, "readout")
        self.c = self.add_bias(n, name="readout_bias")

    def draw(self, shape: Sequence[int], dtype: Any = None) -> Any:
        """A reservoir of the wanted spectral radius."""
        rng = np.random.default_rng(random.getrandbits(32))  # keras.utils.set_random_seed sets `random`
        dense = rng.uniform(-1, 1, shape)
        sparse = dense * (rng.random(shape) < self.connectivity)
        for R in (sparse, dense):
            radius = np.abs(np.linalg.eigvals(R)).max()
            if radius > 1e-3:
                break
        return ops.convert_to_tensor(R * (self.spectral_radius / radius), dtype)

    def project(self, x: Any) -> Any:
        return x @ self.W

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        (h,) = states
        h = (1 - self.leak) * h + self.leak * ops.tanh(p + self.dot(h, self.R))
        return h @ self.V + self.c, [h]
