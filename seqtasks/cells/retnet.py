"""Retention, the recurrence of RetNet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from seqtasks.cells.linear_attention import linear_attention
from seqtasks.cells.matrix_cell import MatrixCell, masked, outer, read
from seqtasks.cells.registration import register_cell


@register_cell("retnet", paper="https://arxiv.org/abs/2307.08621", year=2023, params="3*m*n")
class RetNet(MatrixCell):
    r"""Retention of RetNet, a matrix memory that decays at a fixed rate and rotates its keys.

    .. math::
        q, k, v &= x_t W \\
        S_t &= \gamma \, R_\theta S_{t-1} + \tfrac{1}{\sqrt d} k v^T \\
        h_t &= S_t^T q

    d is `units / heads`, the width of q, k and v in each head. W is `(features,
    3 * units)`, with blocks in the order q, k, v. γ is 1 - 2^(-5 - i) in head i = 0, 1,
    …. R rotates pairs of keys, the j-th of the first half and of the second half, by
    the angle -θ = -10000^(-2j/d), so that a key that was written n steps ago is met at
    the angle -nθ; this equals the relative position encoding of the paper. If d is odd,
    the last key is not rotated. The output gate and the normalization of the paper's
    layer are left out.

    The state S is `(batch, units * d)` and starts as zeros; the output is h. The cell
    is linear in its state, so engine `parallel` can run it.

    Args:
        units: Number of hidden units, at least 1; a multiple of `heads`.
        heads: Number of heads, each with a decay rate of its own; default 1.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1, or `heads` does not divide it.

    Reference:
        Sun, Dong, Huang, Ma, Xia, Xue, Wang & Wei, Retentive network: A successor to
        transformer for large language models (2023). https://arxiv.org/abs/2307.08621

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> layer = layers.Recurrent(cells.RetNet(8, heads=2), engine="parallel")
        >>> outputs, (S,) = layer(np.zeros((2, 5, 3), "float32"))
        >>> tuple(outputs.shape), tuple(S.shape)
        ((2, 5, 8), (2, 32))
    """

    states = ("S",)
    scan = MatrixCell.scan_chunks

    def build(self, input_shape: Sequence[int | None]) -> None:
        self.W = self.add_kernel(input_shape[-1], 3 * self.units)

    def project(self, x: Any) -> Any:
        q, k, v = ops.split(x @ self.W, 3, axis=-1)
        return ops.concatenate([q, k / math.sqrt(self.head_size), v], axis=-1)

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        q, k, v = (self.of_step(part) for part in ops.split(p, 3, axis=-1))
        decay = ops.exp(_constant(self._log_decay(), p))
        S = decay * self._rotated(self.matrices(states[0]), -1.0) + outer(k, v)
        return ops.reshape(read(q, S), (-1, self.units)), [self.flat(S)]

    def chunk(self, p: Any, states: Sequence[Any], valid: Any) -> tuple[Any, list[Any]]:
        # In coordinates that rotate with the state from the start of the chunk, the state does not rotate.
        q, k, v = (ops.swapaxes(self.of_chunk(part), -1, -2) for part in ops.split(p, 3, axis=-1))
        ones = ops.ones_like(q[:, :1, :1]) if valid is None else ops.swapaxes(ops.cast(valid, p.dtype), -1, -2)
        count = ops.cumsum(ones, axis=-1)
        q, k = (ops.swapaxes(self._rotated(part, count), -1, -2) for part in (q, k))
        log_decay = ops.swapaxes(ones, -1, -2) * _constant(self._log_decay(), p)
        h, S = linear_attention(q, masked(valid, k), ops.swapaxes(v, -1, -2), log_decay, self.matrices(states[0]))
        return self.joined(h), [self.flat(self._rotated(S, -count[..., -1:]))]

    def _log_decay(self) -> np.ndarray:
        """Logarithms of γ, `(heads, 1, 1)`."""
        return np.log1p(-(2.0 ** (-5 - np.arange(self.heads))))[:, None, None]

    def _rotated(self, x: Any, count: Any) -> Any:
        """Rotates the rows of `x`, `(…, keys, columns)`, by `count` times their angles."""
        pairs = self.head_size // 2
        angle = count * _constant(10000.0 ** (-2 * np.arange(pairs)[:, None] / self.head_size), x)
        cos, sin = ops.cos(angle), ops.sin(angle)
        first, second, last = ops.split(x, [pairs, 2 * pairs], axis=-2)
        return ops.concatenate([first * cos - second * sin, first * sin + second * cos, last], axis=-2)


def _constant(value: Any, like: Any) -> Any:
    """A tensor of the dtype of another one."""
    return ops.convert_to_tensor(value, dtype=like.dtype)
