"""Matrix long short-term memory (mLSTM) of xLSTM."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from seqtasks.cells.matrix_cell import MatrixCell, masked, outer, read
from seqtasks.cells.registration import register_cell


@register_cell("mlstm", paper="https://arxiv.org/abs/2405.04517", year=2024, params="(m + 1)*(4*n + 2*heads)")
class MLSTM(MatrixCell):
    r"""Matrix LSTM (mLSTM) of xLSTM, with a matrix as memory and an exponential input gate.

    .. math::
        q, k, v, o, i, f &= x_t W + b \\
        m_t &= \max(\log \sigma(f) + m_{t-1}, i) \\
        i' &= \exp(i - m_t), \quad f' = \exp(\log \sigma(f) + m_{t-1} - m_t) \\
        C_t &= f' C_{t-1} + i' \tfrac{1}{\sqrt d} k v^T, \quad
        n_t = f' n_{t-1} + i' \tfrac{1}{\sqrt d} k \\
        h_t &= \sigma(o) \odot C_t^T q / \max(|n_t^T q|, \exp(-m_t))

    d is `units / heads`, the width of q, k and v in each head. W is `(features,
    4 * units + 2 * heads)` and b is `(4 * units + 2 * heads,)`, with blocks in the
    order q, k, v, o, i, f; the gates i and f are one number for each head. The
    stabilizer m cancels in h; it only keeps the exponentials in range. C is the
    transpose of the paper's. The block around the cell, with its convolution and
    normalization, is left out.

    The states C, n (normalizer) and m (stabilizer) are `(batch, units * d)`,
    `(batch, units)` and `(batch, heads)` and start as zeros. The output is h. The
    cell is linear in its state, so engine `parallel` can run it.

    Args:
        units: Number of hidden units, at least 1; a multiple of `heads`.
        heads: Number of heads, each with a memory matrix of its own; default 1.
        forget_bias: Initial bias of the forget gate; default 3.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1, or `heads` does not divide it.

    Reference:
        Beck et al., xLSTM: Extended long short-term memory (2024).
        https://arxiv.org/abs/2405.04517

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> x = np.zeros((2, 5, 3), "float32")
        >>> outputs, states = layers.Recurrent(cells.MLSTM(8, heads=2))(x)
        >>> tuple(outputs.shape), [tuple(state.shape) for state in states]
        ((2, 5, 8), [(2, 32), (2, 8), (2, 2)])
    """

    states = ("C", "n", "m")
    scan = MatrixCell.scan_chunks

    def __init__(self, units: int, heads: int = 1, forget_bias: float = 3.0, **kwargs: Any):
        super().__init__(units, heads, **kwargs)
        self.forget_bias = forget_bias

    @property
    def state_size(self) -> list[int]:
        return [self.units * self.head_size, self.units, self.heads]

    def build(self, input_shape: Sequence[int | None]) -> None:
        width = 4 * self.units + 2 * self.heads
        self.W = self.add_kernel(input_shape[-1], width)
        self.b = self.add_bias(width, np.repeat([0, self.forget_bias], [width - self.heads, self.heads]))

    def project(self, x: Any) -> Any:
        q, k, v, o, i, f = self._parts(x @ self.W + self.b)
        return ops.concatenate([q, k / math.sqrt(self.head_size), v, ops.sigmoid(o), i, ops.log_sigmoid(f)], axis=-1)

    def _parts(self, p: Any) -> list[Any]:
        n = self.units
        return ops.split(p, [n, 2 * n, 3 * n, 4 * n, 4 * n + self.heads], axis=-1)

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        q, k, v, o, i, f = self._parts(p)
        C, n, m = self.matrices(states[0]), self.of_step(states[1]), states[2]
        q, k, v = self.of_step(q), self.of_step(k), self.of_step(v)
        after = ops.maximum(f + m, i)
        f = self.gate("forget", ops.exp(f + m - after))[..., None]
        i = self.gate("input", ops.exp(i - after))[..., None]
        C, n = f[..., None] * C + outer(i * k, v), f * n + i * k
        size = ops.maximum(ops.abs(ops.sum(n * q, axis=-1)), _bounded_exp(-after))
        h = o * ops.reshape(read(q, C) / size[..., None], (-1, self.units))
        return h, [self.flat(C), ops.reshape(n, (-1, self.units)), after]

    def chunk(self, p: Any, states: Sequence[Any], valid: Any) -> tuple[Any, list[Any]]:
        q, k, v, o, i, f = self._parts(p)
        q, k, v, i, f = (self.of_chunk(part) for part in (q, k, v, i, f))
        i, f = masked(valid, i, -1e30), masked(valid, f)
        C, n, m = self.matrices(states[0]), self.of_step(states[1])[..., None], states[2][..., None, None]
        total = ops.cumsum(f, axis=-2)
        exponents = ops.where(np.tri(p.shape[1], dtype=bool), total + ops.swapaxes(i - total, -1, -2), -1e30)
        after = ops.maximum(total + m, ops.max(exponents, axis=-1, keepdims=True))
        weights = ops.exp(exponents - after) * (q @ ops.swapaxes(k, -1, -2))
        old = q * ops.exp(total + m - after)
        size = ops.maximum(ops.abs(ops.sum(weights, axis=-1, keepdims=True) + old @ n), _bounded_exp(-after))
        h = o * self.joined((weights @ v + old @ C) / size)
        end, m_end = total[..., -1:, :], after[..., -1:, :]
        keys = ops.swapaxes(k * ops.exp(end - total + i - m_end), -1, -2)
        kept = ops.exp(end + m - m_end)
        C, n = kept * C + keys @ v, kept * n + ops.sum(keys, axis=-1, keepdims=True)
        return h, [self.flat(C), self.flat(n), self.flat(m_end)]


def _bounded_exp(x: Any) -> Any:
    """Exponential of a number within bounds where it is neither zero nor infinite, whose gradients would be NaN."""
    return ops.exp(ops.clip(x, -16.0, 10.0) if x.dtype == "float16" else ops.clip(x, -60.0, 60.0))
