"""State space duality (SSD), the recurrence of Mamba-2."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from seqtasks.cells.linear_attention import linear_attention
from seqtasks.cells.matrix_cell import MatrixCell, initial_decay, masked, outer, read
from seqtasks.cells.registration import register_cell
from seqtasks.core.errors import ConfigError


@register_cell(
    "mamba2", paper="https://arxiv.org/abs/2405.21060", year=2024, params="m*(n + 2*d_state + heads) + 3*heads"
)
class Mamba2(MatrixCell):
    r"""Mamba-2, a selective state space whose state decays by one number for each head (SSD).

    .. math::
        u, B, C, \delta &= x_t W \\
        \Delta_t &= \mathrm{softplus}(\delta + b) \\
        S_t &= \exp(-e^A \Delta_t) S_{t-1} + \Delta_t B u^T \\
        h_t &= S_t^T C + D u

    W is `(features, units + 2 * d_state + heads)`, with blocks in the order u, B, C, δ.
    u has `units / heads` numbers in each head; all heads share B and C, which are
    `(d_state,)`, and have A, D and b, `(heads,)`, of their own. exp(A) starts uniform
    from 1 to 16, softplus(b) log-uniform from 0.001 to 0.1, and D at 1. The short
    convolution with its activation, the output gate and the normalization of the
    paper's block are left out.

    The state S is `(batch, d_state * units)` and starts as zeros; the output is h. The
    cell is linear in its state, so engine `parallel` can run it.

    Args:
        units: Number of hidden units, at least 1; a multiple of `heads`.
        heads: Number of heads, each with a decay rate of its own; default 1.
        d_state: Number of rows of the state, the width of B and C, at least 1; default
            64.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` or `d_state` is below 1, or `heads` does not divide `units`.

    Reference:
        Dao & Gu, Transformers are SSMs: Generalized models and efficient algorithms
        through structured state space duality (2024). https://arxiv.org/abs/2405.21060

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> layer = layers.Recurrent(cells.Mamba2(8, heads=2, d_state=16), engine="parallel")
        >>> outputs, (S,) = layer(np.zeros((2, 5, 3), "float32"))
        >>> tuple(outputs.shape), tuple(S.shape)
        ((2, 5, 8), (2, 128))
    """

    states = ("S",)
    scan = MatrixCell.scan_chunks

    def __init__(self, units: int, heads: int = 1, d_state: int = 64, **kwargs: Any):
        super().__init__(units, heads, **kwargs)
        if d_state < 1:
            raise ConfigError(f"d_state is {d_state}; allowed: ≥ 1; set encoder.options.d_state to that")
        self.d_state = d_state

    @property
    def state_size(self) -> list[int]:
        return [self.d_state * self.units]

    def build(self, input_shape: Sequence[int | None]) -> None:
        log_rate, bias = initial_decay(self.heads)
        self.W = self.add_kernel(input_shape[-1], self.units + 2 * self.d_state + self.heads)
        self.A = self.add_bias(self.heads, log_rate, "log_rate")
        self.b = self.add_bias(self.heads, bias)
        self.D = self.add_bias(self.heads, 1.0, "skip")

    def project(self, x: Any) -> Any:
        ends = [self.units, self.units + self.d_state, self.units + 2 * self.d_state]
        u, B, C, delta = ops.split(x @ self.W, ends, axis=-1)
        delta = ops.softplus(delta + self.b)
        u = self.of_step(u)
        written, skip = (ops.reshape(u * scale[..., None], (-1, self.units)) for scale in (delta, self.D))
        return ops.concatenate([written, skip, B, C, -ops.exp(self.A) * delta], axis=-1)

    def _parts(self, p: Any) -> list[Any]:
        n = 2 * self.units
        return ops.split(p, [self.units, n, n + self.d_state, n + 2 * self.d_state], axis=-1)

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        u, skip, B, C, log_decay = self._parts(p)
        decay = self.gate("forget", ops.exp(log_decay))
        S = decay[..., None, None] * self.matrices(states[0]) + outer(B[:, None], self.of_step(u))
        return ops.reshape(read(C[:, None], S), (-1, self.units)) + skip, [self.flat(S)]

    def chunk(self, p: Any, states: Sequence[Any], valid: Any) -> tuple[Any, list[Any]]:
        u, skip, B, C, log_decay = self._parts(p)
        u, log_decay = masked(valid, self.of_chunk(u)), masked(valid, self.of_chunk(log_decay))
        h, S = linear_attention(C[:, None], B[:, None], u, log_decay, self.matrices(states[0]))
        return self.joined(h) + skip, [self.flat(S)]
