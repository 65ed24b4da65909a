"""Cells with one or two gates and no cell state beside the hidden one (RAN keeps both)."""

import numpy as np

from .classic import parts, relu, sigma


def mgu(x, states, w):
    """Zhou et al. 2016: one gate forgets, and resets too."""
    h = states[0]
    (Wf, Wh), (Uf, Uh), (bf, bh) = (parts(w[name], 2) for name in ("kernel", "recurrent_kernel", "bias"))
    f = sigma(Wf.T @ x + Uf.T @ h + bf)
    h = (1 - f) * h + f * np.tanh(Wh.T @ x + Uh.T @ (f * h) + bh)
    return h, [h]


def mgu1(x, states, w):
    """Heck and Salem 2017, MGU1: the gate sees no input."""
    h = states[0]
    (Uf, Uh), (bf, bh) = parts(w["recurrent_kernel"], 2), parts(w["bias"], 2)
    f = sigma(Uf.T @ h + bf)
    h = (1 - f) * h + f * np.tanh(w["kernel"].T @ x + Uh.T @ (f * h) + bh)
    return h, [h]


def mgu2(x, states, w):
    """Heck and Salem 2017, MGU2: the gate sees neither input nor bias."""
    h = states[0]
    Uf, Uh = parts(w["recurrent_kernel"], 2)
    f = sigma(Uf.T @ h)
    h = (1 - f) * h + f * np.tanh(w["kernel"].T @ x + Uh.T @ (f * h) + w["bias"])
    return h, [h]


def mgu3(x, states, w):
    """Heck and Salem 2017, MGU3: the gate is its bias."""
    h = states[0]
    bf, bh = parts(w["bias"], 2)
    f = sigma(bf)
    h = (1 - f) * h + f * np.tanh(w["kernel"].T @ x + w["recurrent_kernel"].T @ (f * h) + bh)
    return h, [h]


def ugrnn(x, states, w, gate_bias=1.0):
    """Collins et al. 2016, the update gate RNN: one gate, which keeps."""
    h = states[0]
    (Wc, Wg), (Uc, Ug), (bc, bg) = (parts(w[name], 2) for name in ("kernel", "recurrent_kernel", "bias"))
    c = np.tanh(Wc.T @ x + Uc.T @ h + bc)
    g = sigma(Wg.T @ x + Ug.T @ h + bg)
    h = g * h + (1 - g) * c
    return h, [h]


def intersection_rnn(x, states, w, gate_bias=1.0):
    """Collins et al. 2016, the +RNN: a gate in depth beside the gate in time; a linear map stands for the input."""
    h = states[0]
    Wy, Wh, Wgy, Wgh = parts(w["kernel"], 4)
    Uy, Uh, Ugy, Ugh = parts(w["recurrent_kernel"], 4)
    by, bh, bgy, bgh = parts(w["bias"], 4)
    y_in = relu(Wy.T @ x + Uy.T @ h + by)
    h_in = np.tanh(Wh.T @ x + Uh.T @ h + bh)
    gy = sigma(Wgy.T @ x + Ugy.T @ h + bgy)
    gh = sigma(Wgh.T @ x + Ugh.T @ h + bgh)
    return gy * (w["skip_kernel"].T @ x) + (1 - gy) * y_in, [gh * h + (1 - gh) * h_in]


def janet(x, states, w, beta=1.0, forget_bias=1.0):
    """Van der Westhuizen and Lasenby 2018: an LSTM with the forget gate alone."""
    c = states[0]
    (Wf, Wc), (Uf, Uc), (bf, bc) = (parts(w[name], 2) for name in ("kernel", "recurrent_kernel", "bias"))
    s = Wf.T @ x + Uf.T @ c + bf
    candidate = np.tanh(Wc.T @ x + Uc.T @ c + bc)
    c = sigma(s) * c + (1 - sigma(s - beta)) * candidate
    return c, [c]


def minimal_rnn(x, states, w):
    """Chen 2017: the input becomes a latent vector first, and only that is mixed in."""
    h = states[0]
    z = np.tanh(w["kernel"].T @ x + w["bias"])
    u = sigma(w["recurrent_kernel"].T @ h + w["latent_kernel"].T @ z + w["gate_bias"])
    h = u * h + (1 - u) * z
    return h, [h]


def atr(x, states, w):
    """Zhang et al. 2018: two gates from the sum and the difference of the same two products (no bias in the paper)."""
    h = states[0]
    p = w["kernel"].T @ x + w["bias"]
    q = w["recurrent_kernel"].T @ h
    h = sigma(p + q) * p + sigma(p - q) * h
    return h, [h]


def sgrn(x, states, w):
    """Zu et al. 2020: the gate's own input product is the candidate."""
    h = states[0]
    p = w["kernel"].T @ x + w["bias"]
    f = sigma(p + w["recurrent_kernel"].T @ h)
    h = np.tanh((1 - f) * p + f * h)
    return h, [h]


def light_ru(x, states, w):
    """Ye et al. 2024: the candidate sees the input alone."""
    h = states[0]
    (Wh, Wf), (bh, bf) = parts(w["kernel"], 2), parts(w["bias"], 2)
    candidate = np.tanh(Wh.T @ x + bh)
    f = sigma(Wf.T @ x + w["recurrent_kernel"].T @ h + bf)
    h = (1 - f) * h + f * candidate
    return h, [h]


def li_gru(x, states, w):
    """Ravanelli et al. 2018, without batch normalisation: a GRU with no reset gate and a rectified candidate."""
    h = states[0]
    (Wz, Wh), (Uz, Uh), (bz, bh) = (parts(w[name], 2) for name in ("kernel", "recurrent_kernel", "bias"))
    z = sigma(Wz.T @ x + Uz.T @ h + bz)
    h = z * h + (1 - z) * relu(Wh.T @ x + Uh.T @ h + bh)
    return h, [h]


def ran(x, states, w):
    """Lee et al. 2017: the cell is a weighted sum of linear maps of the inputs."""
    h, c = states
    (Wc, Wi, Wf), (Ui, Uf), (bi, bf) = parts(w["kernel"], 3), parts(w["recurrent_kernel"], 2), parts(w["bias"], 2)
    i = sigma(Wi.T @ x + Ui.T @ h + bi)
    f = sigma(Wf.T @ x + Uf.T @ h + bf)
    c = i * (Wc.T @ x) + f * c
    h = np.tanh(c)
    return h, [h, c]


def cfn(x, states, w):
    """Laurent and von Brecht 2016, the chaos free network."""
    h = states[0]
    Wt, We, W = parts(w["kernel"], 3)
    (Ut, Ue), (bt, be) = parts(w["recurrent_kernel"], 2), parts(w["bias"], 2)
    theta = sigma(Wt.T @ x + Ut.T @ h + bt)
    eta = sigma(We.T @ x + Ue.T @ h + be)
    h = theta * np.tanh(h) + eta * np.tanh(W.T @ x)
    return h, [h]


def star(x, states, w):
    """Turkoglu et al. 2019: one gate, and a tanh over the sum."""
    h = states[0]
    (Wz, Wk), (bz, bk) = parts(w["kernel"], 2), parts(w["bias"], 2)
    z = np.tanh(Wz.T @ x + bz)
    k = sigma(Wk.T @ x + w["recurrent_kernel"].T @ h + bk)
    h = np.tanh((1 - k) * h + k * z)
    return h, [h]


def fast_rnn(x, states, w):
    """Kusupati et al. 2018, FastRNN: a residual connection with two scalar weights, kept in (0, 1)."""
    h = states[0]
    candidate = np.tanh(w["kernel"].T @ x + w["recurrent_kernel"].T @ h + w["bias"])
    h = sigma(w["alpha"]) * candidate + sigma(w["beta"]) * h
    return h, [h]


def fast_grnn(x, states, w):
    """Kusupati et al. 2018, FastGRNN with full matrices: gate and candidate share them."""
    h = states[0]
    a = w["kernel"].T @ x + w["recurrent_kernel"].T @ h
    z = sigma(a + w["gate_bias"])
    candidate = np.tanh(a + w["bias"])
    h = (sigma(w["zeta"]) * (1 - z) + sigma(w["nu"])) * candidate + z * h
    return h, [h]
