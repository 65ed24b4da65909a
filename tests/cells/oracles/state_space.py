"""State space models and gated linear recurrences with a vector for a state, unit by unit where the paper has units."""

import numpy as np

from .classic import sigma


def s4d(x, states, w, state_dim=16, dt_min=0.001, dt_max=0.1):
    """Gu et al. 2022: each unit is a single-input, single-output system, discretized by a zero-order hold."""
    n, pairs = w["log_dt"].size, state_dim // 2
    u = w["kernel"].T @ x
    h = (states[0] + 1j * states[1]).reshape(n, pairs)
    A = (-np.exp(w["log_decay"]) + 1j * w["frequency"]).reshape(n, pairs)
    C = (w["output_re"] + 1j * w["output_im"]).reshape(n, pairs)
    y, new = np.zeros(n), np.zeros_like(h)
    for unit in range(n):
        dt = np.exp(w["log_dt"][unit])
        A_bar = np.exp(dt * A[unit])
        B_bar = (A_bar - 1) / A[unit]
        new[unit] = A_bar * h[unit] + B_bar * u[unit]
        y[unit] = 2 * (C[unit] @ new[unit]).real + w["skip_gain"][unit] * u[unit]
    return y, [new.real.ravel(), new.imag.ravel()]


def s5(x, states, w, state_dim=0, dt_min=0.001, dt_max=0.1):
    """Smith et al. 2023: one system of many inputs and outputs; here as the matrices of all of its conjugate pairs."""
    h = states[0] + 1j * states[1]
    eigenvalues = -np.exp(w["log_decay"]) + 1j * w["frequency"]
    B = (w["input_re"] + 1j * w["input_im"]).T
    C = (w["output_re"] + 1j * w["output_im"]).T
    A = np.diag(np.concatenate([eigenvalues, eigenvalues.conj()]))
    B, C = np.concatenate([B, B.conj()]), np.concatenate([C, C.conj()], axis=1)
    dt = np.diag(np.exp(np.tile(w["log_dt"], 2)))
    A_bar = np.diag(np.exp(np.diag(A @ dt)))
    B_bar = np.linalg.inv(A) @ (A_bar - np.eye(len(A))) @ B
    h = A_bar @ np.concatenate([h, h.conj()]) + B_bar @ x
    y = C @ h
    assert np.abs(y.imag).max() < 1e-9
    h = h[: len(eigenvalues)]
    return y.real + w["skip_kernel"].T @ x, [h.real, h.imag]


def mamba(x, states, w, state_dim=16, dt_rank=0, dt_min=0.001, dt_max=0.1):
    """Gu and Dao 2023, algorithm 2 (S6), with the discretization of the published selective scan."""
    n = w["skip_gain"].size
    u = w["kernel"].T @ x
    r, B, C = np.split(w["selection_kernel"].T @ u, [len(w["dt_kernel"]), len(w["dt_kernel"]) + state_dim])
    dt = np.log1p(np.exp(w["dt_kernel"].T @ r + w["dt_bias"]))
    A = -np.exp(w["log_a"].reshape(n, state_dim))
    h = states[0].reshape(n, state_dim)
    h = np.exp(dt[:, None] * A) * h + np.outer(dt * u, B)
    return h @ C + w["skip_gain"] * u, [h.ravel()]


def rg_lru(x, states, w, c=8.0, decay_min=0.9, decay_max=0.999):
    """De et al. 2024, equations 1 to 4: the power of the decay is the recurrence gate."""
    (Wr, Wi), (br, bi) = np.split(w["gate_kernel"], 2, axis=1), np.split(w["gate_bias"], 2)
    u = w["kernel"].T @ x + w["bias"]
    r, i = sigma(Wr.T @ u + br), sigma(Wi.T @ u + bi)
    a = sigma(w["decay"]) ** (c * r)
    h = a * states[0] + np.sqrt(1 - a**2) * (i * u)
    return h, [h]


def hgrn(x, states, w, lower_bound=0.5):
    """Qin et al. 2023: a complex state; its real and imaginary part are gated, normalised and mixed."""
    n = w["theta"].size

    def silu(v):
        return v * sigma(v)

    f, re, im, g = np.split(w["kernel"].T @ x + w["bias"], [n, 2 * n, 3 * n])
    bound = sigma(w["lower_bound"])
    f = bound + (1 - bound) * sigma(f)
    h = f * np.exp(1j * w["theta"]) * (states[0] + 1j * states[1]) + (1 - f) * (silu(re) + 1j * silu(im))
    v = sigma(g) * np.concatenate([h.real, h.imag])
    v = (v - v.mean()) / np.sqrt(v.var() + 1e-5) * w["norm_gain"] + w["norm_bias"]
    return w["output_kernel"].T @ v + w["output_bias"], [h.real, h.imag]


def rwkv4(x, states, w):
    """Peng et al. 2023, equations 11 to 15, without the largest exponent q: the sums themselves."""
    a, b, q, previous = states
    kernels = np.split(w["kernel"], 3, axis=1)
    mixes = [w["mix_r"], w["mix_k"], w["mix_v"]]
    r, k, v = (W.T @ (mu * x) + before for W, mu, before in zip(kernels, mixes, np.split(previous, 3), strict=True))
    numerator, denominator = a * np.exp(q), b * np.exp(q)
    bonus = np.exp(w["bonus"] + k)
    wkv = (numerator + bonus * v) / (denominator + bonus)
    decay = np.exp(-np.exp(w["decay"]))
    numerator, denominator = decay * numerator + np.exp(k) * v, decay * denominator + np.exp(k)
    q = np.maximum(q - np.exp(w["decay"]), k)
    previous = np.concatenate([W.T @ ((1 - mu) * x) for W, mu in zip(kernels, mixes, strict=True)])
    y = w["output_kernel"].T @ (sigma(r) * wkv)
    return y, [numerator / np.exp(q), denominator / np.exp(q), q, previous]
