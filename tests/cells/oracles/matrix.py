"""Cells whose state is a matrix for each head, written head by head."""

import numpy as np

from .classic import sigma


def silu(x):
    return x * sigma(x)


def unit(x):
    return x / np.sqrt(x @ x + 1e-6)


def by_head(x, heads):
    return x.reshape(heads, -1)


def mlstm(x, states, w, heads=1, forget_bias=3.0):
    """Beck et al. 2024, equations 19 to 27 in the stabilized form of their appendix."""
    n = states[1].size
    C, norm, m = by_head(states[0], heads), by_head(states[1], heads), states[2]
    p = w["kernel"].T @ x + w["bias"]
    q, k, v, o = (by_head(part, heads) for part in np.split(p[: 4 * n], 4))
    i, f = np.split(p[4 * n :], 2)
    d = n // heads
    hidden, memories, norms, maxima = [], [], [], []
    for a in range(heads):
        memory = C[a].reshape(d, d).T  # the paper's, values by keys
        log_f = np.log(sigma(f[a]))
        top = max(log_f + m[a], i[a])
        forget, enter = np.exp(log_f + m[a] - top), np.exp(i[a] - top)
        key = k[a] / np.sqrt(d)
        memory = forget * memory + enter * np.outer(v[a], key)
        normalizer = forget * norm[a] + enter * key
        # The maximum of the paper's unstabilized form, |n q| and 1, both scaled by exp(-m).
        hidden.append(sigma(o[a]) * (memory @ q[a]) / max(abs(normalizer @ q[a]), np.exp(-top)))
        memories.append(memory.T.ravel())
        norms.append(normalizer)
        maxima.append(top)
    return np.concatenate(hidden), [np.concatenate(memories), np.concatenate(norms), np.array(maxima)]


def delta_net(x, states, w, heads=1, beta_max=1.0):
    """Yang et al. 2024: the value that the memory returns for the key is replaced by a mean of it and the new one."""
    n = (w["kernel"].shape[1] - heads) // 3
    p = w["kernel"].T @ x
    q, k, v = (by_head(part, heads) for part in np.split(p[: 3 * n], 3))
    beta = beta_max * sigma(p[3 * n :])
    outputs, memories = [], []
    for a, memory in enumerate(by_head(states[0], heads)):
        S = memory.reshape(n // heads, -1).T
        query, key = unit(silu(q[a])), unit(silu(k[a]))
        old = S @ key
        new = beta[a] * v[a] + (1 - beta[a]) * old
        S = S - np.outer(old, key) + np.outer(new, key)
        outputs.append(S @ query)
        memories.append(S.T.ravel())
    return np.concatenate(outputs), [np.concatenate(memories)]


def gla(x, states, w, heads=1, rank=16, tau=16.0):
    """Yang et al. 2023: each row of the memory, that of one key, has its own decay rate."""
    n = w["bias"].size
    q, k, v, z = np.split(w["kernel"].T @ x, [n, 2 * n, 3 * n])
    decay = sigma(w["decay_kernel"].T @ z + w["bias"]) ** (1 / tau)
    q, k, v, decay = (by_head(part, heads) for part in (q, k, v, decay))
    outputs, memories = [], []
    for a, memory in enumerate(by_head(states[0], heads)):
        S = np.diag(decay[a]) @ memory.reshape(n // heads, -1) + np.outer(k[a], v[a])
        outputs.append(q[a] @ S / np.sqrt(n // heads))
        memories.append(S.ravel())
    return np.concatenate(outputs), [np.concatenate(memories)]


def hgrn2(x, states, w, heads=1, lower_bound=0.0):
    """Qin et al. 2024: the complement of the forget gate is the key, the output gate the query."""
    o, f, i = (by_head(part, heads) for part in np.split(w["kernel"].T @ x + w["bias"], 3))
    outputs, memories = [], []
    for a, memory in enumerate(by_head(states[0], heads)):
        forget = lower_bound + (1 - lower_bound) * sigma(f[a])
        S = np.diag(forget) @ memory.reshape(forget.size, -1) + np.outer(1 - forget, silu(i[a]))
        outputs.append(sigma(o[a]) @ S)
        memories.append(S.ravel())
    return np.concatenate(outputs), [np.concatenate(memories)]


def gated_delta_net(x, states, w, heads=1, beta_max=1.0):
    """Yang et al. 2024: S_t = S_{t-1} α (I - β k kᵀ) + β v kᵀ, with α as in Mamba-2."""
    n = (w["kernel"].shape[1] - 2 * heads) // 3
    p = w["kernel"].T @ x
    q, k, v = (by_head(part, heads) for part in np.split(p[: 3 * n], 3))
    beta, a = np.split(p[3 * n :], 2)
    outputs, memories = [], []
    for h, memory in enumerate(by_head(states[0], heads)):
        alpha = np.exp(-np.exp(w["log_rate"][h]) * np.log1p(np.exp(a[h] + w["bias"][h])))
        strength, key = beta_max * sigma(beta[h]), unit(silu(k[h]))
        S = memory.reshape(key.size, -1).T
        S = alpha * S @ (np.eye(key.size) - strength * np.outer(key, key)) + strength * np.outer(v[h], key)
        outputs.append(S @ unit(silu(q[h])))
        memories.append(S.T.ravel())
    return np.concatenate(outputs), [np.concatenate(memories)]


def mamba2(x, states, w, heads=1, d_state=64):
    """Dao and Gu 2024: a state space model with A a scalar for each head, discretized with the step size Δ."""
    n = w["kernel"].shape[1] - 2 * d_state - heads
    u, B, C, delta = np.split(w["kernel"].T @ x, [n, n + d_state, n + 2 * d_state])
    outputs, memories = [], []
    for h, memory in enumerate(by_head(states[0], heads)):
        inputs, step = by_head(u, heads)[h], np.log1p(np.exp(delta[h] + w["bias"][h]))
        S = memory.reshape(d_state, -1)
        S = np.exp(step * -np.exp(w["log_rate"][h])) * S + np.outer(step * B, inputs)
        outputs.append(C @ S + w["skip"][h] * inputs)
        memories.append(S.ravel())
    return np.concatenate(outputs), [np.concatenate(memories)]


def retnet(x, states, w, heads=1):
    """Sun et al. 2023, with complex keys k exp(inθ): from step to step those in the memory turn by exp(-iθ)."""
    q, k, v = (by_head(part, heads) for part in np.split(w["kernel"].T @ x, 3))
    d = q.shape[1]
    pairs = d // 2
    theta = np.concatenate([10000.0 ** (-2 * np.arange(pairs) / d), np.zeros(d % 2)])

    def complex_of(rows):
        last = rows[2 * pairs :]
        return np.concatenate([rows[:pairs] + 1j * rows[pairs : 2 * pairs], last])

    outputs, memories = [], []
    for h, memory in enumerate(by_head(states[0], heads)):
        gamma = 1 - 2.0 ** (-5 - h)
        S = gamma * np.exp(-1j * theta)[:, None] * complex_of(memory.reshape(d, d))
        S = S + np.outer(complex_of(k[h]) / np.sqrt(d), v[h])
        outputs.append((np.conj(complex_of(q[h])) @ S).real)
        memories.append(np.concatenate([S[:pairs].real, S[:pairs].imag, S[pairs:].real]).ravel())
    return np.concatenate(outputs), [np.concatenate(memories)]


def rwkv7(x, states, w, heads=1, rank=16):
    """Peng et al. 2025: S_t = S_{t-1} (diag(w) - κᵀ (a ⊙ κ)) + vᵀ k, with row vectors and values by keys."""
    n = w["bonus"].size
    r, k, v, y, z = np.split(w["kernel"].T @ x, [n, 2 * n, 3 * n, 3 * n + rank])
    decay = np.exp(-np.exp(-0.5) * sigma(np.tanh(y) @ w["decay_kernel"] + w["decay_bias"]))
    rate = sigma(z @ w["rate_kernel"] + w["rate_bias"])
    removal = k * w["removal_key"]
    k = k * (1 - w["replacement_rate"]) + k * w["replacement_rate"] * rate
    parts = [by_head(part, heads) for part in (r, k, v, decay, rate, removal, w["bonus"])]
    outputs, memories = [], []
    for memory, r, k, v, decay, rate, removal, bonus in zip(by_head(states[0], heads), *parts, strict=True):
        kappa = unit(removal)
        S = memory.reshape(k.size, -1).T
        S = S @ (np.diag(decay) - np.outer(kappa, rate * kappa)) + np.outer(v, k)
        outputs.append(S @ r + np.sum(r * bonus * k) * v)
        memories.append(S.T.ravel())
    return np.concatenate(outputs), [np.concatenate(memories)]
