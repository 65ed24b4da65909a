"""Gated linear recurrent network with state expansion (HGRN2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from seqtasks.cells.linear_attention import linear_attention
from seqtasks.cells.matrix_cell import MatrixCell, masked, outer, read
from seqtasks.cells.registration import register_cell
from seqtasks.core.errors import ConfigError


@register_cell("hgrn2", paper="https://arxiv.org/abs/2404.07904", year=2024, params="3*n*(m + 1)")
class HGRN2(MatrixCell):
    r"""HGRN2, a gated linear RNN whose forget gate is also the key of a matrix memory.

    .. math::
        o, f, i &= x_t W + b \\
        f_t &= \gamma + (1 - \gamma) \sigma(f) \\
        S_t &= \mathrm{diag}(f_t) S_{t-1} + (1 - f_t) \, \mathrm{SiLU}(i)^T \\
        h_t &= S_t^T \sigma(o)

    W is `(features, 3 * units)` and b is `(3 * units,)`, with blocks in the order o,
    f, i. o, f and i have `units / heads` numbers in each head. The lower bound γ of
    the forget gate is a constant here; the paper learns one for each layer, which
    grows from layer to layer. The normalization of the output is left out.

    The state S is `(batch, units * units / heads)` and starts as zeros; the output is
    h. The cell is linear in its state, so engine `parallel` can run it.

    Args:
        units: Number of hidden units, at least 1; a multiple of `heads`.
        heads: Number of heads, each with a memory matrix of its own; default 1.
        lower_bound: Smallest value γ of the forget gate, at least 0 and below 1;
            default 0.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1, `heads` does not divide it, or `lower_bound` is
            out of its range.

    Reference:
        Qin, Yang, Sun, Shen, Li, Sun & Zhong, HGRN2: Gated linear RNNs with state
        expansion (2024). https://arxiv.org/abs/2404.07904

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> layer = layers.Recurrent(cells.HGRN2(8, heads=2), engine="parallel")
        >>> outputs, (S,) = layer(np.zeros((2, 5, 3), "float32"))
        >>> tuple(outputs.shape), tuple(S.shape)
        ((2, 5, 8), (2, 32))
    """

    states = ("S",)
    scan = MatrixCell.scan_chunks

    def __init__(self, units: int, heads: int = 1, lower_bound: float = 0.0, **kwargs: Any):
        super().__init__(units, heads, **kwargs)
        if not 0 <= lower_bound < 1:
            raise ConfigError(f"lower_bound is {lower_bound}; allowed: ≥ 0, < 1; change encoder.options.lower_bound")
        self.lower_bound = lower_bound

    def build(self, input_shape: Sequence[int | None]) -> None:
        self.W = self.add_kernel(input_shape[-1], 3 * self.units)
        self.b = self.add_bias(3 * self.units)

    def project(self, x: Any) -> Any:
        o, f, i = ops.split(x @ self.W + self.b, 3, axis=-1)
        forget = self.lower_bound + (1 - self.lower_bound) * ops.sigmoid(f)
        # The logarithm of a gate that underflows to 0 is minus infinity; log σ is finite.
        log_forget = ops.log(forget) if self.lower_bound else ops.log_sigmoid(f)
        key = (1 - self.lower_bound) * ops.sigmoid(-f)
        return ops.concatenate([ops.sigmoid(o), log_forget, key, ops.silu(i)], axis=-1)

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        o, log_forget, key, i = (self.of_step(part) for part in ops.split(p, 4, axis=-1))
        forget = self.gate("forget", ops.exp(log_forget))
        S = forget[..., None] * self.matrices(states[0]) + outer(key, i)
        return ops.reshape(read(o, S), (-1, self.units)), [self.flat(S)]

    def chunk(self, p: Any, states: Sequence[Any], valid: Any) -> tuple[Any, list[Any]]:
        o, log_forget, key, i = (self.of_chunk(part) for part in ops.split(p, 4, axis=-1))
        h, S = linear_attention(o, masked(valid, key), i, masked(valid, log_forget), self.matrices(states[0]))
        return self.joined(h), [self.flat(S)]
