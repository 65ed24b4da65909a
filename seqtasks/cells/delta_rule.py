"""Delta rule over a chunk of steps, by the solution of one triangular system (the WY form of its products).

All tensors are `(batch, heads, steps, size)`. Each step subtracts what the state returns for a key before it writes the
new value. What a step writes depends on what the steps before it wrote, and is the solution of a triangular system;
with these values the recurrence is linear attention.
"""

from __future__ import annotations

from typing import Any

from keras import ops

from seqtasks.cells.linear_attention import decayed_products, linear_attention


def delta_rule(q: Any, k: Any, v: Any, beta: Any, log_decay: Any, state: Any) -> tuple[Any, Any]:
    """Computes a chunk of S_t = a_t (I - β_t k_t k_tᵀ) S_{t-1} + β_t k_t v_tᵀ and o_t = S_tᵀ q_t.

    Args:
        q: Queries, `(batch, heads, steps, keys)`.
        k: Keys, `(batch, heads, steps, keys)`.
        v: Values, `(batch, heads, steps, values)`.
        beta: Strengths of the writes, `(batch, heads, steps, 1)`; zero at masked steps.
        log_decay: Logarithms of the factors a, at most 0, `(batch, heads, steps, 1)`; zero at masked steps.
        state: State before the chunk, `(batch, heads, keys, values)`.

    Returns:
        Outputs, `(batch, heads, steps, values)`, and the state after the chunk.
    """
    total = ops.cumsum(log_decay, axis=-2)
    among = beta * decayed_products(k, k, total, total, strict=True)
    written = solve_unit_lower(among, beta * (v - (k * ops.exp(total)) @ state))
    return linear_attention(q, k, written, log_decay, state)


def diagonal_delta_rule(
    q: Any, k: Any, v: Any, kappa: Any, removed: Any, log_decay: Any, state: Any
) -> tuple[Any, Any]:
    """Computes a chunk of S_t = diag(w_t) S_{t-1} - b_t κ_tᵀ S_{t-1} + k_t v_tᵀ and o_t = S_tᵀ q_t.

    Args:
        q: Queries, `(batch, heads, steps, keys)`.
        k: Keys that are written, `(batch, heads, steps, keys)`; zero at masked steps.
        v: Values, `(batch, heads, steps, values)`.
        kappa: Keys κ that are read before the write, `(batch, heads, steps, keys)`.
        removed: Factors b of what they read, `(batch, heads, steps, keys)`; zero at masked steps.
        log_decay: Logarithms of the factors w, at most 0, `(batch, heads, steps, keys)`; zero at masked steps.
        state: State before the chunk, `(batch, heads, keys, values)`.

    Returns:
        Outputs, `(batch, heads, steps, values)`, and the state after the chunk.
    """
    total = ops.cumsum(log_decay, axis=-2)
    before = total - log_decay
    of_values = decayed_products(kappa, k, before, total, strict=True) @ v
    among = decayed_products(kappa, removed, before, total, strict=True)
    readings = solve_unit_lower(among, of_values + (kappa * ops.exp(before)) @ state)
    outputs, written = linear_attention(q, k, v, log_decay, state)
    less, erased = linear_attention(q, removed, readings, log_decay, ops.zeros_like(state))
    return outputs - less, written - erased


def solve_unit_lower(strict: Any, right: Any) -> Any:
    """Solves (I + L) X = R.

    Args:
        strict: L, `(…, steps, steps)`, zero on the diagonal and above.
        right: R, `(…, steps, columns)`.

    Returns:
        X, `(…, steps, columns)`.
    """
    return ops.solve_triangular(ops.eye(strict.shape[-1], dtype=strict.dtype) + strict, right, lower=True)
