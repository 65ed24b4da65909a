"""Time mixing of RWKV-7."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from seqtasks.cells.delta_rule import diagonal_delta_rule
from seqtasks.cells.matrix_cell import MatrixCell, masked, outer, read, unit_length
from seqtasks.cells.registration import register_cell
from seqtasks.core.errors import ConfigError


@register_cell("rwkv7", paper="https://arxiv.org/abs/2503.14456", year=2025, params="m*(3*n + 2*rank) + 2*rank*n + 5*n")
class RWKV7(MatrixCell):
    r"""Time mixing of RWKV-7, a delta rule with a decay and a learning rate for each key.

    .. math::
        r, k, v, y, z &= x_t W \\
        w_t &= \exp(-e^{-1/2} \sigma(\tanh(y) A_w + b_w)), \quad
        a_t = \sigma(z A_a + b_a) \\
        \kappa &= \xi \odot k / \|\xi \odot k\|, \quad
        k' = k \odot (1 + \alpha \odot (a_t - 1)) \\
        S_t &= \mathrm{diag}(w_t) S_{t-1} - (a_t \odot \kappa) (S_{t-1}^T \kappa)^T + k' v^T \\
        h_t &= S_t^T r + (r \cdot (\rho \odot k')) \, v

    W is `(features, 3 * units + 2 * rank)`, with blocks in the order r, k, v, y, z; the
    matrices A are `(rank, units)`, and the biases b, ξ, α and ρ are `(units,)`. Norms
    and inner products are those of each head, which has `units / heads` keys. Of the
    paper's layer the token shift, the output gate, the normalization and the mixture
    with the values of the first layer are left out.

    The state S is `(batch, units * units / heads)`, the transpose of the paper's, and
    starts as zeros; the output is h. The cell is linear in its state, so engine
    `parallel` can run it.

    Args:
        units: Number of hidden units, at least 1; a multiple of `heads`.
        heads: Number of heads, each with a memory matrix of its own; default 1.
        rank: Width of y and z, from which decay and learning rates are computed, at
            least 1; default 16.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` or `rank` is below 1, or `heads` does not divide `units`.

    Reference:
        Peng et al., RWKV-7 "Goose" with expressive dynamic state evolution (2025).
        https://arxiv.org/abs/2503.14456

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> layer = layers.Recurrent(cells.RWKV7(8, heads=2, rank=4), engine="parallel")
        >>> outputs, (S,) = layer(np.zeros((2, 5, 3), "float32"))
        >>> tuple(outputs.shape), tuple(S.shape)
        ((2, 5, 8), (2, 32))
    """

    states = ("S",)
    scan = MatrixCell.scan_chunks

    def __init__(self, units: int, heads: int = 1, rank: int = 16, **kwargs: Any):
        super().__init__(units, heads, **kwargs)
        if rank < 1:
            raise ConfigError(f"rank is {rank}; allowed: ≥ 1; set encoder.options.rank to that")
        self.rank = rank

    def build(self, input_shape: Sequence[int | None]) -> None:
        n = self.units
        self.W = self.add_kernel(input_shape[-1], 3 * n + 2 * self.rank)
        self.A_w = self.add_kernel(self.rank, n, "decay_kernel")
        self.A_a = self.add_kernel(self.rank, n, "rate_kernel")
        # As in the authors' code: from slow to fast decay over the keys of a head.
        self.b_w = self.add_bias(n, np.tile(np.linspace(-6.5, -1.5, self.head_size), self.heads), "decay_bias")
        self.b_a = self.add_bias(n, 0.0, "rate_bias")
        self.xi = self.add_bias(n, 0.85, "removal_key")
        self.alpha = self.add_bias(n, 1.0, "replacement_rate")
        self.rho = self.add_bias(n, 0.0, "bonus")

    def project(self, x: Any) -> Any:
        n = self.units
        r, k, v, y, z = ops.split(x @ self.W, [n, 2 * n, 3 * n, 3 * n + self.rank], axis=-1)
        log_decay = -math.exp(-0.5) * ops.sigmoid(ops.tanh(y) @ self.A_w + self.b_w)
        a = ops.sigmoid(z @ self.A_a + self.b_a)
        kappa = ops.reshape(unit_length(self.of_step(self.xi * k)), (-1, n))
        k = k * (1 + self.alpha * (a - 1))
        bonus = ops.sum(self.of_step(r * self.rho * k), axis=-1, keepdims=True) * self.of_step(v)
        return ops.concatenate([r, log_decay, kappa, a * kappa, k, v, ops.reshape(bonus, (-1, n))], axis=-1)

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        *parts, bonus = ops.split(p, 7, axis=-1)
        r, log_decay, kappa, removed, k, v = (self.of_step(part) for part in parts)
        S = self.matrices(states[0])
        S = ops.exp(log_decay)[..., None] * S - outer(removed, read(kappa, S)) + outer(k, v)
        return ops.reshape(read(r, S), (-1, self.units)) + bonus, [self.flat(S)]

    def chunk(self, p: Any, states: Sequence[Any], valid: Any) -> tuple[Any, list[Any]]:
        *parts, bonus = ops.split(p, 7, axis=-1)
        r, log_decay, kappa, removed, k, v = (self.of_chunk(part) for part in parts)
        removed, k, log_decay = (masked(valid, part) for part in (removed, k, log_decay))
        h, S = diagonal_delta_rule(r, k, v, kappa, removed, log_decay, self.matrices(states[0]))
        return self.joined(h) + bonus, [self.flat(S)]
