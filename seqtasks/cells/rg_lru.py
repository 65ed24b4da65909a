"""Real-gated linear recurrent unit (RG-LRU) of Griffin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.cells.initial_values import numpy_generator
from seqtasks.cells.recurrence import Recurrence
from seqtasks.cells.registration import register_cell
from seqtasks.core.errors import ConfigError

TINY = 1e-12  # lower bound of 1 - a², because the gradient of the root at 0 is infinite


@register_cell("rg_lru", paper="https://arxiv.org/abs/2402.19427", year=2024, params="n*(m + 2*n + 4)")
class RGLRU(Cell):
    r"""Real-gated linear recurrent unit (RG-LRU) of Griffin, a diagonal decay with a gate.

    .. math::
        u_t &= x_t W + b \\
        r_t &= \sigma(u_t W_r + b_r), \quad i_t = \sigma(u_t W_i + b_i) \\
        a_t &= \sigma(\Lambda)^{c \, r_t} \\
        h_t &= a_t \odot h_{t-1} + \sqrt{1 - a_t^2} \odot (i_t \odot u_t)

    W is `(features, units)`, W_r and W_i are `(units, units)`, in one kernel with
    blocks in the order r, i; the biases and Λ are `(units,)`. Λ starts such that
    σ(Λ)^c is uniform between `decay_min` and `decay_max`. W and b stand for the layer
    before that of the paper; the convolution and the gated block around it are not
    part of this cell.

    The state h is `(batch, units)`, starts as zeros, and is also the output. The cell
    is linear in its state, so engine `parallel` can run it.

    Args:
        units: Number of hidden units, at least 1.
        c: Exponent c of the decay, above 0; default 8.
        decay_min: Smallest initial decay σ(Λ)^c, above 0; default 0.9.
        decay_max: Largest initial decay, from `decay_min` to below 1; default 0.999.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1, or an option is out of its range.

    Reference:
        De et al., Griffin: mixing gated linear recurrences with local attention for
        efficient language models (2024).
        https://arxiv.org/abs/2402.19427

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> layer = layers.Recurrent(cells.RGLRU(8), engine="parallel")
        >>> outputs, (h,) = layer(np.zeros((2, 5, 3), "float32"))
        >>> tuple(outputs.shape), tuple(h.shape)
        ((2, 5, 8), (2, 8))
    """

    def __init__(self, units: int, c: float = 8.0, decay_min: float = 0.9, decay_max: float = 0.999, **kwargs: Any):
        super().__init__(units, **kwargs)
        if c <= 0:
            raise ConfigError(f"c is {c}; allowed: > 0; choose 8 as the paper")
        if not 0 < decay_min <= decay_max < 1:
            raise ConfigError(
                f"decay_min is {decay_min} and decay_max is {decay_max}; allowed: 0 < decay_min ≤ decay_max < 1; "
                "choose 0.9 and 0.999 as the paper"
            )
        self.c = c
        self.decay_min = decay_min
        self.decay_max = decay_max

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        rng = numpy_generator()
        decay = rng.uniform(self.decay_min, self.decay_max, n) ** (1 / self.c)
        self.W = self.add_kernel(m, n)
        self.b = self.add_bias(n)
        self.V = self.add_kernel(n, 2 * n, "gate_kernel")
        self.bg = self.add_bias(2 * n, name="gate_bias")
        self.decay = self.add_bias(n, np.log(decay / (1 - decay)), "decay")

    def project(self, x: Any) -> Any:
        u = x @ self.W + self.b
        r, i = ops.split(ops.sigmoid(u @ self.V + self.bg), 2, axis=-1)
        # In float32 at least: half precision has no number between 0.9995 and 1.
        wide = keras.backend.result_type(u.dtype, "float32")
        log_a = self.c * ops.cast(r, wide) * ops.log_sigmoid(ops.cast(self.decay, wide))
        scale = ops.sqrt(ops.maximum(-ops.expm1(2 * log_a), TINY))
        return ops.concatenate([ops.cast(ops.exp(log_a), u.dtype), ops.cast(scale, u.dtype) * i * u], axis=-1)

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        a, b = ops.split(p, 2, axis=-1)
        h = a * states[0] + b
        return h, [h]

    def scan(self, p: Any, states: Sequence[Any], recur: Recurrence) -> tuple[Any, list[Any]]:
        a, b = ops.split(p, 2, axis=-1)
        h = recur(a, b, states[0])
        return h, [h]
