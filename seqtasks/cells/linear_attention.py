"""Gated linear attention over a chunk of steps: S_t = diag(a_t) S_{t-1} + k_t v_tᵀ and o_t = S_tᵀ q_t.

All tensors are `(batch, heads, steps, size)`. The factors a are given by their logarithms, and only differences of
their sums over time are exponentiated, from a later to an earlier step, so that no exponential is above 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

BLOCK = 8  # steps of a block whose differences are computed for each key


def linear_attention(q: Any, k: Any, v: Any, log_decay: Any, state: Any) -> tuple[Any, Any]:
    """Computes the outputs of a chunk and the state after it.

    Args:
        q: Queries, `(batch, heads, steps, keys)`.
        k: Keys, `(batch, heads, steps, keys)`; zero at masked steps.
        v: Values, `(batch, heads, steps, values)`.
        log_decay: Logarithms of the factors of the state, at most 0, for each key `(batch, heads, steps, keys)` or for
            a head `(batch, heads, steps, 1)`; zero at masked steps.
        state: State before the chunk, `(batch, heads, keys, values)`.

    Returns:
        Outputs, `(batch, heads, steps, values)`, and the state after the chunk.
    """
    total = ops.cumsum(log_decay, axis=-2)
    outputs = decayed_products(q, k, total, total) @ v + (q * ops.exp(total)) @ state
    end = total[..., -1:, :]
    written = ops.swapaxes(k * ops.exp(end - total), -1, -2) @ v
    return outputs, ops.swapaxes(ops.exp(end), -1, -2) * state + written


def decayed_products(q: Any, k: Any, q_total: Any, k_total: Any, strict: bool = False) -> Any:
    """Computes the matrix Σ_d q_td k_sd exp(q_total_td - k_total_sd) for steps s up to t, zero for later ones.

    With decay for each key, differences are computed for pairs of steps in blocks of `BLOCK` steps. Two neighbouring
    blocks meet at the end of the first: the differences to it are at most 0 on both sides, and a product of matrices
    computes their pairs.

    Args:
        q: Rows, `(batch, heads, steps, keys)`; the steps are at most `BLOCK`, or `BLOCK` times a power of two.
        k: Columns, of the same shape.
        q_total: Sums of log decay up to each row, `(batch, heads, steps, 1 or keys)`.
        k_total: Sums of log decay up to each column, of the same shape; not below those of later rows.
        strict: Whether the diagonal is zero, too.

    Returns:
        Products, `(batch, heads, steps, steps)`.
    """
    _, heads, steps, keys = q.shape
    if k_total.shape[-1] == 1:
        return _weights(q_total, k_total, strict)[..., 0] * (q @ ops.swapaxes(k, -1, -2))
    size = min(BLOCK, steps)
    q, k, q_total, k_total = (ops.reshape(x, (-1, heads, steps // size, size, keys)) for x in (q, k, q_total, k_total))
    pairs = ops.expand_dims(q, -2) * ops.expand_dims(k, -3)
    blocks = ops.sum(pairs * _weights(q_total, k_total, strict), axis=-1)
    while size < steps:
        count = steps // (2 * size)
        shape = (-1, heads, count, 2, size, keys)
        q, k, q_total, k_total = (ops.reshape(x, shape) for x in (q, k, q_total, k_total))
        border = k_total[:, :, :, 0, -1:]
        later = q[:, :, :, 1] * ops.exp(q_total[:, :, :, 1] - border)
        earlier = k[:, :, :, 0] * ops.exp(border - k_total[:, :, :, 0])
        blocks = ops.reshape(blocks, (-1, heads, count, 2, size, size))
        first, second = blocks[:, :, :, 0], blocks[:, :, :, 1]
        upper = ops.concatenate([first, ops.zeros_like(first)], axis=-1)
        lower = ops.concatenate([later @ ops.swapaxes(earlier, -1, -2), second], axis=-1)
        blocks = ops.concatenate([upper, lower], axis=-2)
        size *= 2
        q, k, q_total, k_total = (ops.reshape(x, (-1, heads, count, size, keys)) for x in (q, k, q_total, k_total))
    return blocks[:, :, 0]


def _weights(q_total: Any, k_total: Any, strict: bool) -> Any:
    """Returns exp(q_total_t - k_total_s) for earlier steps s, zero for later ones: `(…, steps, steps, keys)`."""
    steps = q_total.shape[-2]
    earlier = np.tri(steps, k=-1 if strict else 0, dtype=bool)[..., None]
    differences = ops.expand_dims(q_total, -2) - ops.expand_dims(k_total, -3)
    # Chosen before exp, whose gradient would be infinite where the difference is large and positive.
    return ops.exp(ops.where(earlier, differences, -1e9))
