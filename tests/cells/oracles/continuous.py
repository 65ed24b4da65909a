"""Cells whose state depends on the time since the step before, `gap`; GRU-D also on which features are `observed`."""

import numpy as np

from .classic import parts, relu, sigma


def gru_d(x, states, w, gap=1.0, observed=None):
    """Che et al. 2018, eqs. 2 to 15, feature by feature; the second state is less the mean of the features."""
    h, last, since = states
    features = len(x)
    m = np.ones(features) if observed is None else observed.astype(float)
    delta, filled = np.zeros(features), np.zeros(features)
    new_last, new_since = np.array(last), np.zeros(features)
    for d in range(features):
        delta[d] = gap + since[d]
        mean = w["feature_mean"][d]
        if m[d]:
            filled[d], new_last[d] = x[d], x[d] - mean
        else:
            gamma = np.exp(-max(0, w["input_decay"][d] * delta[d] + w["input_decay_bias"][d]))
            filled[d] = gamma * (last[d] + mean) + (1 - gamma) * mean
            new_since[d] = delta[d]
    h = np.exp(-relu(w["hidden_decay"].T @ delta + w["hidden_decay_bias"])) * h
    (Wz, Wr, W), (Vz, Vr, V) = parts(w["kernel"], 3), parts(w["mask_kernel"], 3)
    (Uz, Ur, U), (bz, br, b) = parts(w["recurrent_kernel"], 3), parts(w["bias"], 3)
    z = sigma(Wz.T @ filled + Uz.T @ h + Vz.T @ m + bz)
    r = sigma(Wr.T @ filled + Ur.T @ h + Vr.T @ m + br)
    h = z * h + (1 - z) * np.tanh(W.T @ filled + U.T @ (r * h) + V.T @ m + b)
    return h, [h, new_last, new_since]


def phased_lstm(x, states, w, gap=1.0, open_ratio=0.05, leak=0.001):
    """Neil et al. 2016, eqs. 6 to 10; the phase that is kept is that of a gate without shift."""
    h, c, phase = states
    period = np.exp(w["log_period"])
    time = phase * period + gap  # whole periods before it change nothing
    k = np.zeros(h.size)
    for j in range(h.size):
        phi = ((time[j] - w["shift"][j]) % period[j]) / period[j]
        if phi < open_ratio / 2:
            k[j] = 2 * phi / open_ratio
        elif phi < open_ratio:
            k[j] = 2 - 2 * phi / open_ratio
        else:
            k[j] = leak * phi
    Wi, Wf, Wg, Wo = parts(w["kernel"], 4)
    Ui, Uf, Ug, Uo = parts(w["recurrent_kernel"], 4)
    bi, bf, bg, bo = parts(w["bias"], 4)
    i = sigma(Wi.T @ x + Ui.T @ h + bi)
    f = sigma(Wf.T @ x + Uf.T @ h + bf)
    o = sigma(Wo.T @ x + Uo.T @ h + bo)
    proposed = f * c + i * np.tanh(Wg.T @ x + Ug.T @ h + bg)
    c = k * proposed + (1 - k) * c
    h = k * (o * np.tanh(proposed)) + (1 - k) * h
    return h, [h, c, (time % period) / period]


def cfc(x, states, w, gap=1.0, depth=1):
    """Hasani et al. 2022, eq. 10, with the backbone and the bias of the gate in the authors' code."""
    v = 1.7159 * np.tanh(0.666 * (w["kernel"].T @ x + w["recurrent_kernel"].T @ states[0] + w["bias_0"]))
    for layer in range(1, depth):
        v = 1.7159 * np.tanh(0.666 * (w[f"backbone_kernel_{layer}"].T @ v + w[f"bias_{layer}"]))
    (Hf, Hq, Hg, Hk), (cf, cq, cg, ck) = parts(w["head_kernel"], 4), parts(w["head_bias"], 4)
    f, q = Hf.T @ v + cf, Hq.T @ v + cq
    gate = sigma(-f * gap + q)
    h = gate * np.tanh(Hg.T @ v + cg) + (1 - gate) * np.tanh(Hk.T @ v + ck)
    return h, [h]


def ode_rnn(x, states, w, gap=1.0, solver="euler", solver_steps=4):
    """Rubanova et al. 2019, algorithm 1: a differential equation between the steps, a GRU at each."""
    h = states[0]

    def f(h):
        hidden = np.tanh(w["recurrent_ode_kernel"].T @ h + w["ode_bias"])
        return w["ode_output_kernel"].T @ hidden + w["ode_output_bias"]

    dt = gap / solver_steps
    for _ in range(solver_steps):
        if solver == "euler":
            h = h + dt * f(h)
        else:
            first = f(h)
            second = f(h + dt * first / 2)
            third = f(h + dt * second / 2)
            fourth = f(h + dt * third)
            h = h + dt * (first + 2 * second + 2 * third + fourth) / 6
    (Wz, Wr, W), (bz, br, b) = parts(w["kernel"], 3), parts(w["bias"], 3)
    Uz, Ur, U = parts(w["recurrent_kernel"], 3)
    z = sigma(Wz.T @ x + Uz.T @ h + bz)
    r = sigma(Wr.T @ x + Ur.T @ h + br)
    h = z * h + (1 - z) * np.tanh(W.T @ x + U.T @ (r * h) + b)
    return h, [h]


def ct_lstm(x, states, w, gap=1.0):
    """Mei and Eisner 2017, eqs. 5 to 7: c(t) at the time of the event, then the update by the event."""
    c, target, rate, o = states
    c = target + (c - target) * np.exp(-rate * gap)
    h = o * (2 * sigma(2 * c) - 1)
    W, U, b = parts(w["kernel"], 7), parts(w["recurrent_kernel"], 7), parts(w["bias"], 7)
    a = [W[k].T @ x + U[k].T @ h + b[k] for k in range(7)]
    i, f, o, i_bar, f_bar = (sigma(a[k]) for k in (0, 1, 3, 4, 5))
    z = 2 * sigma(a[2]) - 1
    c = f * c + i * z
    target = f_bar * target + i_bar * z
    return o * (2 * sigma(2 * c) - 1), [c, target, np.log1p(np.exp(a[6])), o]
