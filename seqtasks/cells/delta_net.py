"""DeltaNet, linear attention with the delta rule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from seqtasks.cells.delta_rule import delta_rule
from seqtasks.cells.matrix_cell import MatrixCell, masked, outer, read, unit_length
from seqtasks.cells.registration import register_cell
from seqtasks.core.errors import ConfigError


@register_cell("delta_net", paper="https://arxiv.org/abs/2406.06484", year=2024, params="m*(3*n + heads)")
class DeltaNet(MatrixCell):
    r"""DeltaNet, which replaces the value that its matrix memory returns for a key.

    .. math::
        q, k, v, \beta &= x_t W \\
        q' &= \mathrm{SiLU}(q) / \|\mathrm{SiLU}(q)\|, \quad
        k' = \mathrm{SiLU}(k) / \|\mathrm{SiLU}(k)\| \\
        S_t &= S_{t-1} + \beta_{max} \sigma(\beta) \, k' (v - S_{t-1}^T k')^T \\
        h_t &= S_t^T q'

    W is `(features, 3 * units + heads)`, with blocks in the order q, k, v, β. q, k
    and v have `units / heads` numbers in each head, and β one. With `beta_max=2` the
    state transition has eigenvalues from -1 to 1 in place of 0 to 1, and the cell can
    compute parity (Grazzi et al. 2024, https://arxiv.org/abs/2411.12537). The short
    convolutions and the normalization of the output in the paper's layer are left
    out.

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
        Yang, Wang, Zhang, Shen & Kim, Parallelizing linear transformers with the delta
        rule over sequence length (2024). https://arxiv.org/abs/2406.06484

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> layer = layers.Recurrent(cells.DeltaNet(8, heads=2), engine="parallel")
        >>> outputs, (S,) = layer(np.zeros((2, 5, 3), "float32"))
        >>> tuple(outputs.shape), tuple(S.shape)
        ((2, 5, 8), (2, 32))
    """

    states = ("S",)
    scan = MatrixCell.scan_chunks

    def __init__(self, units: int, heads: int = 1, beta_max: float = 1.0, **kwargs: Any):
        super().__init__(units, heads, **kwargs)
        if not 0 < beta_max <= 2:
            raise ConfigError(
                f"beta_max is {beta_max}; allowed: above 0, at most 2; set encoder.options.beta_max to that"
            )
        self.beta_max = beta_max

    def build(self, input_shape: Sequence[int | None]) -> None:
        self.W = self.add_kernel(input_shape[-1], 3 * self.units + self.heads)

    def project(self, x: Any) -> Any:
        q, k, v, beta = self._parts(x @ self.W)
        q, k = (ops.reshape(unit_length(self.of_step(ops.silu(part))), (-1, self.units)) for part in (q, k))
        return ops.concatenate([q, k, v, self.beta_max * ops.sigmoid(beta)], axis=-1)

    def _parts(self, p: Any) -> list[Any]:
        return ops.split(p, [self.units, 2 * self.units, 3 * self.units], axis=-1)

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        q, k, v, beta = (self.of_step(part) for part in self._parts(p))
        S = self.matrices(states[0])
        S = S + outer(beta * k, v - read(k, S))
        return ops.reshape(read(q, S), (-1, self.units)), [self.flat(S)]

    def chunk(self, p: Any, states: Sequence[Any], valid: Any) -> tuple[Any, list[Any]]:
        q, k, v, beta = (self.of_chunk(part) for part in self._parts(p))
        h, S = delta_rule(q, k, v, masked(valid, beta), ops.zeros_like(beta), self.matrices(states[0]))
        return self.joined(h), [self.flat(S)]
