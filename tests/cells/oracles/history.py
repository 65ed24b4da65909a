"""Cells that keep something slow, or something of the last input, besides their state."""

import numpy as np

from .classic import parts, sigma


def scrn(x, states, w, context=0, alpha=0.95):
    """Mikolov et al. 2014: a context that drifts beside the hidden units; both are read out."""
    h, s = states
    s = (1 - alpha) * (w["context_kernel"].T @ x) + alpha * s
    h = sigma(w["recurrent_context"].T @ s + w["kernel"].T @ x + w["recurrent_kernel"].T @ h)
    return np.concatenate([h, s]), [h, s]


def t_gru(x, states, w):
    """Balduzzi and Ghifary 2016, strongly-typed GRU: the gates see this input and the last one."""
    h, last = states
    (Wz, Wf, Wo), (bz, bf, bo) = parts(w["kernel"], 3), parts(w["bias"], 3)
    Vz, Vf, Vo = parts(w["previous_kernel"], 3)
    vz, vf, vo = parts(last, 3)
    z = vz + Wz.T @ x + bz
    f = sigma(vf + Wf.T @ x + bf)
    o = np.tanh(vo + Wo.T @ x + bo)
    h = f * h + z * o
    return h, [h, np.concatenate([Vz.T @ x, Vf.T @ x, Vo.T @ x])]


def t_lstm(x, states, w):
    """Balduzzi and Ghifary 2016, strongly-typed LSTM: a weighted mean of the inputs, then an output gate."""
    c, last = states
    (Wz, Wf, Wo), (bz, bf, bo) = parts(w["kernel"], 3), parts(w["bias"], 3)
    Vz, Vf, Vo = parts(w["previous_kernel"], 3)
    vz, vf, vo = parts(last, 3)
    z = vz + Wz.T @ x + bz
    f = sigma(vf + Wf.T @ x + bf)
    o = np.tanh(vo + Wo.T @ x + bo)
    c = f * c + (1 - f) * z
    return c * o, [c, np.concatenate([Vz.T @ x, Vf.T @ x, Vo.T @ x])]


def qrnn(x, states, w):
    """Bradbury et al. 2016, a masked convolution of width 2 and fo-pooling; the biases are left out in the paper."""
    c, last = states
    (Wz, Wf, Wo), (bz, bf, bo) = parts(w["kernel"], 3), parts(w["bias"], 3)
    Vz, Vf, Vo = parts(w["previous_kernel"], 3)
    vz, vf, vo = parts(last, 3)
    z = np.tanh(vz + Wz.T @ x + bz)
    f = sigma(vf + Wf.T @ x + bf)
    o = sigma(vo + Wo.T @ x + bo)
    c = f * c + (1 - f) * z
    return o * c, [c, np.concatenate([Vz.T @ x, Vf.T @ x, Vo.T @ x])]


def mut1(x, states, w):
    """Jozefowicz et al. 2015, MUT1: the update gate sees the input alone, which enters the candidate through a tanh."""
    h = states[0]
    (Wz, Wr, Wh), (bz, br, bh) = parts(w["kernel"], 3), parts(w["bias"], 3)
    Ur, Uh = parts(w["recurrent_kernel"], 2)
    z = sigma(Wz.T @ x + bz)
    r = sigma(Wr.T @ x + Ur.T @ h + br)
    h = np.tanh(Uh.T @ (r * h) + np.tanh(Wh.T @ x) + bh) * z + h * (1 - z)
    return h, [h]


def mut2(x, states, w):
    """Jozefowicz et al. 2015, MUT2: a GRU, but that its reset gate sees the input itself (a linear map of it here)."""
    h = states[0]
    (Wz, Wr, Wh), (bz, br, bh) = parts(w["kernel"], 3), parts(w["bias"], 3)
    Uz, Ur, Uh = parts(w["recurrent_kernel"], 3)
    z = sigma(Wz.T @ x + Uz.T @ h + bz)
    r = sigma(Wr.T @ x + Ur.T @ h + br)
    h = np.tanh(Uh.T @ (r * h) + Wh.T @ x + bh) * z + h * (1 - z)
    return h, [h]


def mut3(x, states, w):
    """Jozefowicz et al. 2015, MUT3: the update gate sees tanh of the state."""
    h = states[0]
    (Wz, Wr, Wh), (bz, br, bh) = parts(w["kernel"], 3), parts(w["bias"], 3)
    Uz, Ur, Uh = parts(w["recurrent_kernel"], 3)
    z = sigma(Wz.T @ x + Uz.T @ np.tanh(h) + bz)
    r = sigma(Wr.T @ x + Ur.T @ h + br)
    h = np.tanh(Uh.T @ (r * h) + Wh.T @ x + bh) * z + h * (1 - z)
    return h, [h]


def br(x, states, w):
    """Vecoven et al. 2021, bistable cell: each unit's gates see its own past alone; the biases are not the paper's."""
    h = states[0]
    (Wa, Wc, Wh), (ba, bc, bh) = parts(w["kernel"], 3), parts(w["bias"], 3)
    wa, wc = w["recurrent_gain"]
    a = 1 + np.tanh(Wa.T @ x + wa * h + ba)
    c = sigma(Wc.T @ x + wc * h + bc)
    h = c * h + (1 - c) * np.tanh(Wh.T @ x + a * h + bh)
    return h, [h]


def nbr(x, states, w):
    """Vecoven et al. 2021, neuromodulated: the gates see all units; the biases are not the paper's."""
    h = states[0]
    (Wa, Wc, Wh), (ba, bc, bh) = parts(w["kernel"], 3), parts(w["bias"], 3)
    Ua, Uc = parts(w["recurrent_kernel"], 2)
    a = 1 + np.tanh(Wa.T @ x + Ua.T @ h + ba)
    c = sigma(Wc.T @ x + Uc.T @ h + bc)
    h = c * h + (1 - c) * np.tanh(Wh.T @ x + a * h + bh)
    return h, [h]
