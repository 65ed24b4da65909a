"""Time mixing of RWKV-4."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.cells.recurrence import Recurrence
from seqtasks.cells.registration import register_cell

EMPTY = -3e4  # exponent of a sum without a term; float16 holds it, and its exponential is 0


@register_cell("rwkv4", paper="https://arxiv.org/abs/2305.13048", year=2023, params="3*m*(n + 1) + n*(n + 2)")
class RWKV4(Cell):
    r"""Time mixing of RWKV-4, a weighted mean of values with a decay for each unit.

    .. math::
        r_t, k_t, v_t &= (\mu \odot x_t + (1 - \mu) \odot x_{t-1}) W \\
        n_t &= \sum_{s<t} e^{-(t-1-s) e^w + k_s} \odot v_s + e^{u + k_t} \odot v_t \\
        d_t &= \sum_{s<t} e^{-(t-1-s) e^w + k_s} + e^{u + k_t} \\
        y_t &= (\sigma(r_t) \odot n_t / d_t) W_o

    W is `(features, 3 * units)`, with blocks in the order r, k, v, each with a mix μ
    of its own, `(features,)`. The decay w and the bonus u of the present step are
    `(units,)`, W_o is `(units, units)`. The block of channel mixing is not part of
    this cell. The initial values are those of the middle layer of the published code.

    The states are a and b, the sums of the numerator and the denominator over the
    steps before the next one, divided by e to the power of the state q, the largest of
    their exponents, which keeps them in range; all `(batch, units)`. The state v is
    x_t W (1 - μ) of the last valid step, `(batch, 3 * units)`. They start as zeros; as
    long as b is zero, q has no effect. The output is y. The cell is linear in its
    sums, so engine `parallel` can run it.

    Args:
        units: Number of hidden units, at least 1.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1.

    Reference:
        Peng et al., RWKV: reinventing RNNs for the transformer era (2023).
        https://arxiv.org/abs/2305.13048

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> layer = layers.Recurrent(cells.RWKV4(8), engine="parallel")
        >>> outputs, (a, b, q, v) = layer(np.zeros((2, 5, 3), "float32"))
        >>> tuple(outputs.shape), tuple(a.shape), tuple(v.shape)
        ((2, 5, 8), (2, 8), (2, 24))
    """

    states = ("a", "b", "q", "v")

    @property
    def state_size(self) -> list[int]:
        return [self.units, self.units, self.units, 3 * self.units]

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        assert m is not None
        share, unit = np.arange(m) / m, np.arange(n) / max(n - 1, 1)
        mixes = {"mix_r": share**0.25, "mix_k": share**0.5, "mix_v": share**0.5 + 0.15}
        self.W = self.add_kernel(m, 3 * n)
        self.mu = [self.add_bias(m, mix, name) for name, mix in mixes.items()]
        self.w = self.add_bias(n, -5 + 8 * unit**1.35, "decay")
        self.u = self.add_bias(n, np.log(0.3) + 0.5 * ((np.arange(n) + 1) % 3 - 1), "bonus")
        self.Wo = self.add_kernel(n, n, "output_kernel")

    def project(self, x: Any) -> Any:
        W = ops.convert_to_tensor(self.W)
        parts = zip(self.mu, ops.split(W, 3, axis=1), strict=True)
        now = ops.concatenate([ops.expand_dims(mu, 1) * part for mu, part in parts], axis=1)
        return x @ ops.concatenate([now, W - now], axis=1)

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        a, b, q, previous = states
        now, v = ops.split(p, 2, axis=-1)
        r, k, value = ops.split(now + previous, 3, axis=-1)
        q = ops.where(b > 0, q, EMPTY * ops.ones_like(q))
        y = self.read(r, k, value, a, b, q)
        decayed = q - ops.exp(self.w)
        q = ops.maximum(decayed, k)
        old, new = ops.exp(decayed - q), ops.exp(k - q)
        return y, [old * a + new * value, old * b + new, q, v]

    def scan(self, p: Any, states: Sequence[Any], recur: Recurrence) -> tuple[Any, list[Any]]:
        a0, b0, q0, v0 = states
        now, v = ops.split(p, 2, axis=-1)
        previous, last_v = recur.shift(v, v0)
        r, k, value = ops.split(now + previous, 3, axis=-1)
        start, decay = ops.where(b0 > 0, q0, EMPTY * ops.ones_like(q0)), ops.exp(self.w)
        q = recur.maximum(-decay, k, start)
        q_before = ops.concatenate([ops.expand_dims(start, 0), q[:-1]], axis=0)
        # k is above q at masked steps only, where its exponential could be infinite.
        old, new = ops.exp(q_before - decay - q), ops.exp(ops.where(k > q, ops.zeros_like(k), k - q))
        sums = recur(
            ops.concatenate([old, old], axis=-1),
            ops.concatenate([new * value, new], axis=-1),
            ops.concatenate([a0, b0], axis=-1),
        )
        a, b = ops.split(sums, 2, axis=-1)
        a_before = ops.concatenate([ops.expand_dims(a0, 0), a[:-1]], axis=0)
        b_before = ops.concatenate([ops.expand_dims(b0, 0), b[:-1]], axis=0)
        y = self.read(r, k, value, a_before, b_before, q_before)
        return y, [a, b, ops.where(b > 0, q, q0), last_v]

    def read(self, r: Any, k: Any, v: Any, a: Any, b: Any, q: Any) -> Any:
        """Outputs y, `(…, units)`, from the sums before each step."""
        most = ops.maximum(q, self.u + k)
        old, new = ops.exp(q - most), ops.exp(self.u + k - most)
        return (ops.sigmoid(r) * (old * a + new * v) / (old * b + new)) @ self.Wo
