"""Gated linear attention (GLA)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from keras import ops

from seqtasks.cells.linear_attention import linear_attention
from seqtasks.cells.matrix_cell import MatrixCell, masked, outer, read
from seqtasks.cells.registration import register_cell
from seqtasks.core.errors import ConfigError


@register_cell("gla", paper="https://arxiv.org/abs/2312.06635", year=2023, params="3*m*n + rank*(m + n) + n")
class GLA(MatrixCell):
    r"""Gated linear attention (GLA), a matrix memory with a decay rate for each key.

    .. math::
        q, k, v, z &= x_t W \\
        a_t &= \sigma(z A + b)^{1 / \tau} \\
        S_t &= \mathrm{diag}(a_t) S_{t-1} + k v^T \\
        h_t &= \tfrac{1}{\sqrt d} S_t^T q

    d is `units / heads`, the width of q, k and v in each head. W is `(features,
    3 * units + rank)`, with blocks in the order q, k, v, z; A is `(rank, units)` and
    b is `(units,)`. The output gate and the normalization of the paper's layer are
    left out.

    The state S is `(batch, units * d)` and starts as zeros; the output is h. The cell
    is linear in its state, so engine `parallel` can run it.

    Args:
        units: Number of hidden units, at least 1; a multiple of `heads`.
        heads: Number of heads, each with a memory matrix of its own; default 1.
        rank: Width of z, from which the decay rates are computed, at least 1; default
            16.
        tau: Temperature of the decay rates, above 0; larger: slower decay; default 16.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1, `heads` does not divide it, or an option is out
            of its range.

    Reference:
        Yang, Wang, Shen, Panda & Kim, Gated linear attention transformers with
        hardware-efficient training (2023). https://arxiv.org/abs/2312.06635

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> layer = layers.Recurrent(cells.GLA(8, heads=2, rank=4), engine="parallel")
        >>> outputs, (S,) = layer(np.zeros((2, 5, 3), "float32"))
        >>> tuple(outputs.shape), tuple(S.shape)
        ((2, 5, 8), (2, 32))
    """

    states = ("S",)
    scan = MatrixCell.scan_chunks

    def __init__(self, units: int, heads: int = 1, rank: int = 16, tau: float = 16.0, **kwargs: Any):
        super().__init__(units, heads, **kwargs)
        if rank < 1 or tau <= 0:
            raise ConfigError(f"rank is {rank} and tau is {tau}; allowed: rank ≥ 1, tau > 0; change encoder.options")
        self.rank = rank
        self.tau = tau

    def build(self, input_shape: Sequence[int | None]) -> None:
        self.W = self.add_kernel(input_shape[-1], 3 * self.units + self.rank)
        self.A = self.add_kernel(self.rank, self.units, "decay_kernel")
        self.b = self.add_bias(self.units)

    def project(self, x: Any) -> Any:
        n = self.units
        q, k, v, z = ops.split(x @ self.W, [n, 2 * n, 3 * n], axis=-1)
        log_decay = ops.log_sigmoid(z @ self.A + self.b) / self.tau
        return ops.concatenate([q / math.sqrt(self.head_size), k, v, log_decay], axis=-1)

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        q, k, v, log_decay = (self.of_step(part) for part in ops.split(p, 4, axis=-1))
        S = ops.exp(log_decay)[..., None] * self.matrices(states[0]) + outer(k, v)
        return ops.reshape(read(q, S), (-1, self.units)), [self.flat(S)]

    def chunk(self, p: Any, states: Sequence[Any], valid: Any) -> tuple[Any, list[Any]]:
        q, k, v, log_decay = (self.of_chunk(part) for part in ops.split(p, 4, axis=-1))
        h, S = linear_attention(q, masked(valid, k), v, masked(valid, log_decay), self.matrices(states[0]))
        return self.joined(h), [self.flat(S)]
