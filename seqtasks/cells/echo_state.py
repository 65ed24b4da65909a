"""Echo state network (ESN)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.cells.initial_values import numpy_generator
from seqtasks.cells.registration import register_cell
from seqtasks.core.errors import ConfigError


@register_cell(
    "echo_state", paper="https://www.ai.rug.nl/minds/uploads/EchoStatesTechRep.pdf", year=2001, params="n*(n + 1)"
)
class EchoState(Cell):
    r"""Echo state network (ESN), a fixed random reservoir with a trained linear readout.

    .. math::
        h_t &= (1 - a) h_{t-1} + a \tanh(x_t W + h_{t-1} R) \\
        y_t &= h_t V + c

    Here a is the leak rate. The input matrix W is `(features, units)` and uniform,
    the reservoir R is `(units, units)` and sparse; both keep their random initial
    values. The readout V is `(units, units)` and its bias c `(units,)`. They are
    trained by gradient descent with the other weights of a model, whereas the paper
    solves a linear regression.

    The state h is `(batch, units)` and starts as zeros. The output is y.

    Args:
        units: Number of hidden units, at least 1.
        spectral_radius: Spectral radius of R, above 0; default 0.9.
        leak: Leak rate a, above 0 and at most 1. The default 1 is a network without
            leak; smaller values make the state change more slowly.
        connectivity: Fraction of the entries of R that are not zero, above 0 and at
            most 1; default 0.1. A sparse R without cycles would have no memory and
            is replaced by a dense one.
        input_scale: Bound of the uniform distribution of W, above 0; default 1.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1, or an option is out of its range.

    Reference:
        Jaeger, The "echo state" approach to analysing and training recurrent neural
        networks (2001); the leak is that of Jaeger, Lukoševičius, Popovici &
        Siewert, Neural Networks 20 (2007).
        https://www.ai.rug.nl/minds/uploads/EchoStatesTechRep.pdf

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> layer = layers.Recurrent(cells.EchoState(8, leak=0.5))
        >>> outputs, (h,) = layer(np.zeros((2, 5, 3), "float32"))
        >>> tuple(outputs.shape), [weight.name for weight in layer.cell.trainable_weights]
        ((2, 5, 8), ['readout', 'readout_bias'])
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
        """Draws a random reservoir R with the spectral radius `spectral_radius`.

        Args:
            shape: `(units, units)`.
            dtype: Data type of the result.
        """
        rng = numpy_generator()
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
