"""Cells built as dynamical systems: their matrices are constrained, or a step is one step of an integrator."""

import numpy as np

from .classic import parts, relu, sigma


def ind_rnn(x, states, w, bound=1.0):
    """Li et al. 2018: each unit sees its own past alone."""
    h = relu(w["kernel"].T @ x + w["recurrent_gain"] * states[0] + w["bias"])
    return h, [h]


def antisymmetric_rnn(x, states, w, epsilon=0.1, gamma=0.01):
    """Chang et al. 2019: a forward Euler step with an antisymmetric matrix, diffused a little."""
    h = states[0]
    A = w["recurrent_kernel"] - w["recurrent_kernel"].T - gamma * np.eye(h.size)
    h = h + epsilon * np.tanh(A @ h + w["kernel"].T @ x + w["bias"])
    return h, [h]


def gated_antisymmetric_rnn(x, states, w, epsilon=0.1, gamma=0.01):
    """Chang et al. 2019, gated: the gate shares the antisymmetric matrix."""
    h = states[0]
    (Wz, Wh), (bz, bh) = parts(w["kernel"], 2), parts(w["bias"], 2)
    A = w["recurrent_kernel"] - w["recurrent_kernel"].T - gamma * np.eye(h.size)
    z = sigma(A @ h + Wz.T @ x + bz)
    h = h + epsilon * z * np.tanh(A @ h + Wh.T @ x + bh)
    return h, [h]


def co_rnn(x, states, w, dt=0.042, gamma=2.7, epsilon=4.7):
    """Rusch and Mishra 2020: coupled oscillators; the damping uses the old velocity."""
    y, z = states
    Wy, Wz = np.split(w["recurrent_kernel"], 2, axis=0)
    force = np.tanh(Wy.T @ y + Wz.T @ z + w["kernel"].T @ x + w["bias"])
    z = z + dt * force - dt * gamma * y - dt * epsilon * z
    y = y + dt * z
    return y, [y, z]


def unicornn(x, states, w, dt=0.19, alpha=30.65):
    """Rusch and Mishra 2021: undamped oscillators that do not see each other, each with a step of its own."""
    y, z = states
    step = dt * (0.5 + 0.5 * np.tanh(w["step_bias"] / 2))
    z = z - step * (np.tanh(w["recurrent_gain"] * y + w["kernel"].T @ x + w["bias"]) + alpha * y)
    y = y + step * z
    return y, [y, z]


def lem(x, states, w, dt=1.0):
    """Rusch et al. 2021, long expressive memory: two time scales, learned; y sees the new z."""
    y, z = states
    V1, V2, Vz, Vy = parts(w["kernel"], 4)
    W1, W2, Wz = parts(w["recurrent_kernel"], 3)
    b1, b2, bz, by = parts(w["bias"], 4)
    of_z = dt * sigma(W1.T @ y + V1.T @ x + b1)
    of_y = dt * sigma(W2.T @ y + V2.T @ x + b2)
    z = (1 - of_z) * z + of_z * np.tanh(Wz.T @ y + Vz.T @ x + bz)
    y = (1 - of_y) * y + of_y * np.tanh(w["recurrent_z"].T @ z + Vy.T @ x + by)
    return y, [y, z]


def lipschitz_rnn(x, states, w, beta=0.75, gamma=0.001, epsilon=0.03):
    """Erichson et al. 2020: a linear and a tanh part, whose matrices mix symmetric and antisymmetric."""
    h = states[0]

    def mixed(M):
        return (1 - beta) * (M + M.T) + beta * (M - M.T) - gamma * np.eye(h.size)

    A, W = mixed(w["recurrent_a"]), mixed(w["recurrent_w"])
    h = h + epsilon * (A @ h + np.tanh(W @ h + w["kernel"].T @ x + w["bias"]))
    return h, [h]


def echo_state(x, states, w, spectral_radius=0.9, leak=1.0, connectivity=0.1, input_scale=1.0):
    """Jaeger 2001, without feedback from the output: a fixed reservoir and a linear read-out of it alone."""
    h = states[0]
    h = (1 - leak) * h + leak * np.tanh(w["kernel"].T @ x + w["recurrent_reservoir"].T @ h)
    return w["readout"].T @ h + w["readout_bias"], [h]


def exp_rnn(x, states, w):
    """Lezcano-Casado and Martinez-Rubio 2019: the exponential is taken of the eigenvalues, which are imaginary."""
    n = states[0].size
    A = np.zeros((n, n))
    A[np.triu_indices(n, 1)] = w["recurrent_angles"]
    A = A - A.T
    angles, V = np.linalg.eigh(-1j * A)
    B = ((V * np.exp(1j * angles)) @ V.conj().T).real
    z = w["kernel"].T @ x + B.T @ states[0]
    h = np.sign(z) * relu(np.abs(z) + w["bias"])
    return h, [h]
