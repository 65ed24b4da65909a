"""Cells with a memory beside the hidden state: a window, modules of several periods, stacks."""

import numpy as np

from .classic import sigma


def lmu(x, states, w, order=0, theta=100.0):
    """Voelker et al. 2019: the delay system in the space of states, whose exponential is summed as its series."""
    h, m = states
    d = m.size
    A, B = np.zeros((d, d)), np.zeros(d)
    for i in range(d):
        B[i] = (2 * i + 1) * (-1) ** i / theta
        for j in range(d):
            A[i, j] = (2 * i + 1) / theta * (-1 if i < j else (-1) ** (i - j + 1))
    A_bar, B_bar, power = np.eye(d), np.zeros((d, d)), np.eye(d)  # sums of A^k / k! and of A^k / (k + 1)!
    for k in range(1, 200):
        B_bar = B_bar + power / k
        power = power @ A / k
        A_bar = A_bar + power
    u = w["encoder_x"][:, 0] @ x + w["recurrent_encoder_h"][:, 0] @ h + w["recurrent_encoder_m"][:, 0] @ m
    m = A_bar @ m + B_bar @ B * u
    h = np.tanh(w["kernel"].T @ x + w["recurrent_kernel"].T @ h + w["recurrent_memory"].T @ m)
    return h, [h, m]


def clockwork_rnn(x, states, w, modules=4):
    """Koutnik et al. 2014: one full matrix with zeros where a module would read a faster one."""
    h, t = states
    n = h.size
    module = np.concatenate([[g] * len(part) for g, part in enumerate(np.array_split(np.arange(n), modules))]).astype(
        int
    )
    U = np.zeros((n, n))
    for unit in range(n):
        g = module[unit]
        U[module >= g, unit] = w[f"recurrent_{g}"][:, int(np.sum(module[:unit] == g))]
    candidate = np.tanh(w["kernel"].T @ x + U.T @ h + w["bias"])
    due = [int(t[0]) % 2 ** module[unit] == 0 for unit in range(n)]
    h = np.where(due, candidate, h)
    longest = 2 ** module.max()
    return h, [h, (t + 1) % longest]


def stack_rnn(x, states, w, stacks=4, depth=32, top=2):
    """Joulin and Mikolov 2015: each element of each stack is a mean of its two neighbours and itself."""
    h, s = states[0], states[1].reshape(depth, stacks)
    h = sigma(w["kernel"].T @ x + w["recurrent_kernel"].T @ h + w["recurrent_stack"].T @ s[:top].ravel())
    scores = np.exp((w["action_kernel"].T @ h).reshape(3, stacks))
    push, pop, noop = scores / scores.sum(axis=0)
    value, new = sigma(w["push_kernel"].T @ h), np.zeros_like(s)
    for k in range(stacks):
        for i in range(depth):
            above = value[k] if i == 0 else s[i - 1, k]
            below = s[i + 1, k] if i + 1 < depth else 0
            new[i, k] = push[k] * above + pop[k] * below + noop[k] * s[i, k]
    return h, [h, new.ravel()]
