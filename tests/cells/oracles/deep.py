"""Cells that compute more than one layer within a step, and the LSTMs with more products than four."""

import numpy as np

from .classic import parts, relu, sigma


def nas(x, states, w):
    """Zoph and Le 2016, the base cell as released: in the fourth leaf the two products are multiplied, not added."""
    h, c = states
    W, U, b = parts(w["kernel"], 8), parts(w["recurrent_kernel"], 8), parts(w["bias"], 8)
    u = [W[k].T @ x for k in range(8)]
    v = [U[k].T @ h + b[k] for k in range(8)]
    leaf = [
        sigma(u[0] + v[0]),
        relu(u[1] + v[1]),
        sigma(u[2] + v[2]),
        relu(u[3] * v[3]),
        np.tanh(u[4] + v[4]),
        sigma(u[5] + v[5]),
        np.tanh(u[6] + v[6]),
        sigma(u[7] + v[7]),
    ]
    first = np.tanh(leaf[0] * leaf[1])
    second = np.tanh(leaf[2] + leaf[3])
    third = np.tanh(leaf[4] * leaf[5])
    fourth = sigma(leaf[6] + leaf[7])
    c = np.tanh(first + c) * second
    h = np.tanh(c * np.tanh(third + fourth))
    return h, [h, c]


def rhn(x, states, w, depth=2, transform_bias=-2.0):
    """Zilly et al. 2016, carry gate coupled: highway layers within a step; the input reaches the first alone."""
    s = states[0]
    Wh, Wt = parts(w["kernel"], 2)
    for layer in range(depth):
        Rh, Rt = parts(w[f"recurrent_kernel_{layer}"], 2)
        bh, bt = parts(w[f"bias_{layer}"], 2)
        first = 1 if layer == 0 else 0
        h = np.tanh(first * (Wh.T @ x) + Rh.T @ s + bh)
        t = sigma(first * (Wt.T @ x) + Rt.T @ s + bt)
        s = h * t + s * (1 - t)
    return s, [s]


def multiplicative_lstm(x, states, w, forget_bias=1.0):
    """Krause et al. 2016: an elementwise product of input and state stands where the LSTM has its state."""
    h, c = states
    Wm, Wi, Wf, Wg, Wo = parts(w["kernel"], 5)
    Ui, Uf, Ug, Uo = parts(w["recurrent_kernel"], 4)
    bi, bf, bg, bo = parts(w["bias"], 4)
    m = (Wm.T @ x) * (w["recurrent_multiplier"].T @ h)
    i = sigma(Wi.T @ x + Ui.T @ m + bi)
    f = sigma(Wf.T @ x + Uf.T @ m + bf)
    o = sigma(Wo.T @ x + Uo.T @ m + bo)
    c = f * c + i * np.tanh(Wg.T @ x + Ug.T @ m + bg)
    h = o * np.tanh(c)
    return h, [h, c]


def mogrifier_lstm(x, states, w, rounds=5, forget_bias=1.0):
    """Melis et al. 2019: input and state gate each other in turn before the LSTM sees them."""
    h, c = states
    for i in range(1, rounds + 1):
        if i % 2:
            x = 2 * sigma(w[f"recurrent_x_gate_{i}"].T @ h) * x
        else:
            h = 2 * sigma(w[f"h_gate_{i}"].T @ x) * h
    Wi, Wf, Wg, Wo = parts(w["kernel"], 4)
    Ui, Uf, Ug, Uo = parts(w["recurrent_kernel"], 4)
    bi, bf, bg, bo = parts(w["bias"], 4)
    i = sigma(Wi.T @ x + Ui.T @ h + bi)
    f = sigma(Wf.T @ x + Uf.T @ h + bf)
    o = sigma(Wo.T @ x + Uo.T @ h + bo)
    c = f * c + i * np.tanh(Wg.T @ x + Ug.T @ h + bg)
    h = o * np.tanh(c)
    return h, [h, c]


def wmc_lstm(x, states, w, forget_bias=1.0):
    """Landi et al. 2021, working memory connections: the gates see tanh of a product of the cell."""
    h, c = states
    Wi, Wf, Wg, Wo = parts(w["kernel"], 4)
    Ui, Uf, Ug, Uo = parts(w["recurrent_kernel"], 4)
    bi, bf, bg, bo = parts(w["bias"], 4)
    Vi, Vf, Vo = parts(w["recurrent_memory"], 3)
    i = sigma(Wi.T @ x + Ui.T @ h + np.tanh(Vi.T @ c) + bi)
    f = sigma(Wf.T @ x + Uf.T @ h + np.tanh(Vf.T @ c) + bf)
    c = f * c + i * np.tanh(Wg.T @ x + Ug.T @ h + bg)
    o = sigma(Wo.T @ x + Uo.T @ h + np.tanh(Vo.T @ c) + bo)
    h = o * np.tanh(c)
    return h, [h, c]


def mc_lstm(x, states, w, forget_bias=1.0):
    """Shwartz-Ziv et al. 2017, memory controller: a vector of its own is fed back in the place of the output."""
    v, c = states
    Wf, Wi, Wo, Wm, Wn = parts(w["kernel"], 5)
    Uf, Ui, Uo, Um, Un = parts(w["recurrent_kernel"], 5)
    bf, bi, bo, bm, bn = parts(w["bias"], 5)
    f = sigma(Wf.T @ x + Uf.T @ v + bf)
    i = sigma(Wi.T @ x + Ui.T @ v + bi)
    o = sigma(Wo.T @ x + Uo.T @ v + bo)
    m = sigma(Wm.T @ x + Um.T @ v + bm)
    c = f * c + i * np.tanh(Wn.T @ x + Un.T @ v + bn)
    return o * np.tanh(c), [m * np.tanh(c), c]


def slstm(x, states, w, forget_bias=1.0):
    """Beck et al. 2024, sLSTM before its stabilisation; what is stored is scaled by exp(-m), which cancels in c / n."""
    h, c, n, m = states
    Wz, Wi, Wf, Wo = parts(w["kernel"], 4)
    Uz, Ui, Uf, Uo = parts(w["recurrent_kernel"], 4)
    bz, bi, bf, bo = parts(w["bias"], 4)
    z = np.tanh(Wz.T @ x + Uz.T @ h + bz)
    i = np.exp(Wi.T @ x + Ui.T @ h + bi)
    f = sigma(Wf.T @ x + Uf.T @ h + bf)
    o = sigma(Wo.T @ x + Uo.T @ h + bo)
    c, n = c * np.exp(m), n * np.exp(m)
    c = f * c + i * z
    n = f * n + i
    h = o * c / n
    m = np.maximum(np.log(f) + m, np.log(i))
    return h, [h, c * np.exp(-m), n * np.exp(-m), m]


def mi_rnn(x, states, w, alpha=1.0, beta=1.0):
    """Wu et al. 2016, multiplicative integration in its general form."""
    u, v = w["kernel"].T @ x, w["recurrent_kernel"].T @ states[0]
    h = np.tanh(w["product_gain"] * u * v + w["state_gain"] * v + w["input_gain"] * u + w["bias"])
    return h, [h]


def second_order_rnn(x, states, w, activation="sigmoid"):
    """Giles et al. 1992: a tensor of weights, one for each product of a state and an input."""
    n = states[0].size
    tensor = w["recurrent_kernel"].reshape(n, x.size, n)
    z = np.einsum("i,j,ijk->k", states[0], x, tensor) + w["bias"]
    h = np.tanh(z) if activation == "tanh" else 1 / (1 + np.exp(-z))
    return h, [h]


def ur_lstm(x, states, w):
    """Gu et al. 2020, UR-LSTM: a refine gate between the two ends of the band around the forget gate."""
    h, c = states
    f, r, g, o = np.split(w["kernel"].T @ x + w["recurrent_kernel"].T @ h + w["bias"], 4)
    f, r, o = (1 / (1 + np.exp(-gate)) for gate in (f, r, o))
    low, high = f - f * (1 - f), f + f * (1 - f)
    effective = low + r * (high - low)
    c = effective * c + (1 - effective) * np.tanh(g)
    h = o * np.tanh(c)
    return h, [h, c]
