"""Gated DeltaNet, the delta rule with decay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from seqtasks.cells.delta_net import DeltaNet
from seqtasks.cells.delta_rule import delta_rule
from seqtasks.cells.matrix_cell import MatrixCell, initial_decay, masked, outer, read, unit_length
from seqtasks.cells.registration import register_cell


@register_cell(
    "gated_delta_net", paper="https://arxiv.org/abs/2412.06464", year=2024, params="m*(3*n + 2*heads) + 2*heads"
)
class GatedDeltaNet(DeltaNet):
    r"""Gated DeltaNet, the delta rule on a matrix memory that also decays by a gate.

    .. math::
        q, k, v, \beta, a &= x_t W \\
        q' &= \mathrm{SiLU}(q) / \|\mathrm{SiLU}(q)\|, \quad
        k' = \mathrm{SiLU}(k) / \|\mathrm{SiLU}(k)\| \\
        \alpha_t &= \exp(-e^A \, \mathrm{softplus}(a + b)) \\
        \beta_t &= \beta_{max} \sigma(\beta) \\
        S_t &= \alpha_t S_{t-1} + \beta_t \, k' (v - \alpha_t S_{t-1}^T k')^T \\
        h_t &= S_t^T q'

    W is `(features, 3 * units + 2 * heads)`, with blocks in the order q, k, v, β, a. q,
    k and v have `units / heads` numbers in each head, and β and a one. A and b are
    `(heads,)`; exp(A) starts uniform from 1 to 16, and softplus(b) log-uniform from
    0.001 to 0.1, as in Mamba-2. With `beta_max=2` the state transition has negative
    eigenvalues, see `delta_net`. The short convolutions, the output gate and the
    normalization of the paper's layer are left out.

    The state S is `(batch, units * units / heads)` and starts as zeros; the output is
    h. The cell is linear in its state, so engine `parallel` can run it.

    Args:
        units: Number of hidden units, at least 1; a multiple of `heads`.
        heads: Number of heads, each with a memory matrix of its own; default 1.
        beta_max: Largest strength of a write, above 0 and at most 2; default 1.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1, `heads` does not divide it, or `beta_max` is
            out of its range.

    Reference:
        Yang, Kautz & Hatamizadeh, Gated delta networks: Improving Mamba2 with delta rule
        (2024). https://arxiv.org/abs/2412.06464

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> layer = layers.Recurrent(cells.GatedDeltaNet(8, heads=2), engine="parallel")
        >>> outputs, (S,) = layer(np.zeros((2, 5, 3), "float32"))
        >>> tuple(outputs.shape), tuple(S.shape)
        ((2, 5, 8), (2, 32))
    """

    states = ("S",)
    scan = MatrixCell.scan_chunks

    def build(self, input_shape: Sequence[int | None]) -> None:
        log_rate, bias = initial_decay(self.heads)
        self.W = self.add_kernel(input_shape[-1], 3 * self.units + 2 * self.heads)
        self.A = self.add_bias(self.heads, log_rate, "log_rate")
        self.b = self.add_bias(self.heads, bias)

    def project(self, x: Any) -> Any:
        q, k, v, beta, a = self._parts(x @ self.W)
        q, k = (ops.reshape(unit_length(self.of_step(ops.silu(part))), (-1, self.units)) for part in (q, k))
        log_decay = -ops.exp(self.A) * ops.softplus(a + self.b)
        return ops.concatenate([q, k, v, self.beta_max * ops.sigmoid(beta), log_decay], axis=-1)

    def _parts(self, p: Any) -> list[Any]:
        n = self.units
        return ops.split(p, [n, 2 * n, 3 * n, 3 * n + self.heads], axis=-1)

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        q, k, v, beta, log_decay = (self.of_step(part) for part in self._parts(p))
        S = self.gate("forget", ops.exp(log_decay))[..., None] * self.matrices(states[0])
        S = S + outer(beta * k, v - read(k, S))
        return ops.reshape(read(q, S), (-1, self.units)), [self.flat(S)]

    def chunk(self, p: Any, states: Sequence[Any], valid: Any) -> tuple[Any, list[Any]]:
        q, k, v, beta, log_decay = (self.of_chunk(part) for part in self._parts(p))
        h, S = delta_rule(q, k, v, masked(valid, beta), masked(valid, log_decay), self.matrices(states[0]))
        return self.joined(h), [self.flat(S)]
