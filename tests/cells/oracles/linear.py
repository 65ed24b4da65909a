"""Cells that are linear in their state, with gates that see the input alone."""

import numpy as np

from .classic import parts, sigma


def t_rnn(x, states, w):
    """Balduzzi and Ghifary 2016, strongly-typed RNN: a weighted mean of linear maps of the inputs."""
    h = states[0]
    Wz, Wf = parts(w["kernel"], 2)
    f = sigma(Wf.T @ x + w["bias"])
    h = f * h + (1 - f) * (Wz.T @ x)
    return h, [h]


def min_gru(x, states, w):
    """Feng et al. 2024, minGRU."""
    h = states[0]
    (Wz, Wh), (bz, bh) = parts(w["kernel"], 2), parts(w["bias"], 2)
    z = sigma(Wz.T @ x + bz)
    h = (1 - z) * h + z * (Wh.T @ x + bh)
    return h, [h]


def min_lstm(x, states, w):
    """Feng et al. 2024, minLSTM: the two gates are scaled to the sum 1."""
    h = states[0]
    (Wf, Wi, Wh), (bf, bi, bh) = parts(w["kernel"], 3), parts(w["bias"], 3)
    f = sigma(Wf.T @ x + bf)
    i = sigma(Wi.T @ x + bi)
    h = f / (f + i) * h + i / (f + i) * (Wh.T @ x + bh)
    return h, [h]


def sru(x, states, w):
    """Lei et al. 2017, first version: a highway connection around the cell; a linear map stands for the input."""
    c = states[0]
    Wc, Wf, Wr, Wx = parts(w["kernel"], 4)
    bf, br = parts(w["bias"], 2)
    f = sigma(Wf.T @ x + bf)
    r = sigma(Wr.T @ x + br)
    c = f * c + (1 - f) * (Wc.T @ x)
    return r * np.tanh(c) + (1 - r) * (Wx.T @ x), [c]


def lru(x, states, w, radius_min=0.9, radius_max=0.999, phase_max=6.283185307179586):
    """Orvieto et al. 2023: a diagonal complex recurrence, normalised at its input and read by its real part."""
    h = states[0] + 1j * states[1]
    eigenvalues = np.exp(-np.exp(w["nu"]) + 1j * np.exp(w["theta"]))
    B = (w["input_re"] + 1j * w["input_im"]).T
    C = (w["output_re"] + 1j * w["output_im"]).T
    h = eigenvalues * h + np.exp(w["gamma"]) * (B @ x)
    return (C @ h).real + w["skip_kernel"].T @ x, [h.real, h.imag]
