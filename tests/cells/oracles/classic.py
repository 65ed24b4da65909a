"""The simple recurrent networks, the LSTM and the GRU, and the forms that stay close to them.

The conventions of all files here: x is (m,), each state a vector, w maps the name of a weight to its array; a joint
matrix is taken apart first, and its parts act on columns, as in the papers: W.T @ x. A function gives the output and
the list of new states. Options that only change initial values are accepted and do nothing.
"""

import numpy as np


def sigma(x):
    return 1 / (1 + np.exp(-x))


def parts(matrix, count):
    """The matrices (or vectors) that stand side by side in a joint one."""
    return np.split(matrix, count, axis=-1)


def relu(x):
    return np.maximum(x, 0)


def normed(v, epsilon):
    """Ba et al. 2016: zero mean and unit variance over the entries of one vector."""
    centred = v - v.sum() / v.size
    return centred / np.sqrt((centred**2).sum() / v.size + epsilon)


def simple_rnn(x, states, w):
    """Elman 1990, in today's form: h = tanh(W x + U h + b)."""
    h = np.tanh(w["kernel"].T @ x + w["recurrent_kernel"].T @ states[0] + w["bias"])
    return h, [h]


def irnn(x, states, w, scale=1.0):
    """Le et al. 2015: a rectified network that starts as the identity."""
    h = relu(w["kernel"].T @ x + w["recurrent_kernel"].T @ states[0] + w["bias"])
    return h, [h]


def elman(x, states, w):
    """Elman 1990: the context is a copy of the hidden units; the output has a layer of its own."""
    h = np.tanh(w["kernel"].T @ x + w["recurrent_kernel"].T @ states[0] + w["bias"])
    return np.tanh(w["output_kernel"].T @ h + w["output_bias"]), [h]


def jordan(x, states, w):
    """Jordan 1986, without the decay of the state units: the context is a copy of the output."""
    h = np.tanh(w["kernel"].T @ x + w["recurrent_kernel"].T @ states[0] + w["bias"])
    y = np.tanh(w["output_kernel"].T @ h + w["output_bias"])
    return y, [y]


def lstm(x, states, w):
    """Gers et al. 2000: input, forget and output gate around one cell."""
    h, c = states
    Wi, Wf, Wg, Wo = parts(w["kernel"], 4)
    Ui, Uf, Ug, Uo = parts(w["recurrent_kernel"], 4)
    bi, bf, bg, bo = parts(w["bias"], 4)
    i = sigma(Wi.T @ x + Ui.T @ h + bi)
    f = sigma(Wf.T @ x + Uf.T @ h + bf)
    g = np.tanh(Wg.T @ x + Ug.T @ h + bg)
    o = sigma(Wo.T @ x + Uo.T @ h + bo)
    c = f * c + i * g
    h = o * np.tanh(c)
    return h, [h, c]


def original_lstm(x, states, w):
    """Hochreiter and Schmidhuber 1997, section 4: nothing is forgotten; both squashing functions are tanh here.

    The paper's own choice, g = 4 sigma - 2 and h = 2 sigma - 1, is this with the cell and its input weights halved.
    """
    h, c = states
    Wi, Wg, Wo = parts(w["kernel"], 3)
    Ui, Ug, Uo = parts(w["recurrent_kernel"], 3)
    bi, bg, bo = parts(w["bias"], 3)
    i = sigma(Wi.T @ x + Ui.T @ h + bi)
    o = sigma(Wo.T @ x + Uo.T @ h + bo)
    c = c + i * np.tanh(Wg.T @ x + Ug.T @ h + bg)
    h = o * np.tanh(c)
    return h, [h, c]


def peephole_lstm(x, states, w, forget_bias=1.0):
    """Gers et al. 2002: the gates see the cell, the output gate sees the new one; output as Graves 2013."""
    h, c = states
    Wi, Wf, Wg, Wo = parts(w["kernel"], 4)
    Ui, Uf, Ug, Uo = parts(w["recurrent_kernel"], 4)
    bi, bf, bg, bo = parts(w["bias"], 4)
    pi, pf, po = w["peephole"]
    i = sigma(Wi.T @ x + Ui.T @ h + pi * c + bi)
    f = sigma(Wf.T @ x + Uf.T @ h + pf * c + bf)
    c = f * c + i * np.tanh(Wg.T @ x + Ug.T @ h + bg)
    o = sigma(Wo.T @ x + Uo.T @ h + po * c + bo)
    h = o * np.tanh(c)
    return h, [h, c]


def lstmp(x, states, w, projection=0, forget_bias=1.0):
    """Sak et al. 2014, without peepholes: a linear projection of the cell's output is what recurs."""
    r, c = states
    Wi, Wf, Wg, Wo = parts(w["kernel"], 4)
    Ui, Uf, Ug, Uo = parts(w["recurrent_kernel"], 4)
    bi, bf, bg, bo = parts(w["bias"], 4)
    i = sigma(Wi.T @ x + Ui.T @ r + bi)
    f = sigma(Wf.T @ x + Uf.T @ r + bf)
    c = f * c + i * np.tanh(Wg.T @ x + Ug.T @ r + bg)
    o = sigma(Wo.T @ x + Uo.T @ r + bo)
    r = w["recurrent_projection"].T @ (o * np.tanh(c))
    return r, [r, c]


def coupled_lstm(x, states, w, forget_bias=1.0):
    """Greff et al. 2015 (CIFG), without peepholes: what is forgotten makes room for what is read."""
    h, c = states
    Wf, Wg, Wo = parts(w["kernel"], 3)
    Uf, Ug, Uo = parts(w["recurrent_kernel"], 3)
    bf, bg, bo = parts(w["bias"], 3)
    f = sigma(Wf.T @ x + Uf.T @ h + bf)
    i = 1 - f
    c = f * c + i * np.tanh(Wg.T @ x + Ug.T @ h + bg)
    h = sigma(Wo.T @ x + Uo.T @ h + bo) * np.tanh(c)
    return h, [h, c]


def layernorm_lstm(x, states, w, epsilon=1e-3, forget_bias=1.0):
    """Ba et al. 2016, eqs. 20 to 22; the biases of its two input norms are one here."""
    h, c = states
    read = normed(w["kernel"].T @ x, epsilon) * w["kernel_gain"]
    recalled = normed(w["recurrent_kernel"].T @ h, epsilon) * w["recurrent_gain"]
    i, f, g, o = parts(read + recalled + w["bias"], 4)
    c = sigma(f) * c + sigma(i) * np.tanh(g)
    h = sigma(o) * np.tanh(normed(c, epsilon) * w["cell_gain"] + w["cell_bias"])
    return h, [h, c]


def gru(x, states, w):
    """Chetlur et al. 2014 (cuDNN): the reset gate falls on the product, which has a bias of its own."""
    h = states[0]
    Wz, Wr, W = parts(w["kernel"], 3)
    Uz, Ur, U = parts(w["recurrent_kernel"], 3)
    (bz, br, b), (cz, cr, c) = (parts(row, 3) for row in w["bias"])
    z = sigma(Wz.T @ x + bz + Uz.T @ h + cz)
    r = sigma(Wr.T @ x + br + Ur.T @ h + cr)
    h = z * h + (1 - z) * np.tanh(W.T @ x + b + r * (U.T @ h + c))
    return h, [h]


def gru_v1(x, states, w):
    """Cho et al. 2014, eqs. 5 to 8: the reset gate falls on the state, before the product."""
    h = states[0]
    Wz, Wr, W = parts(w["kernel"], 3)
    Uz, Ur, U = parts(w["recurrent_kernel"], 3)
    bz, br, b = parts(w["bias"], 3)
    z = sigma(Wz.T @ x + Uz.T @ h + bz)
    r = sigma(Wr.T @ x + Ur.T @ h + br)
    h = z * h + (1 - z) * np.tanh(W.T @ x + U.T @ (r * h) + b)
    return h, [h]


def layernorm_gru(x, states, w, epsilon=1e-3):
    """Ba et al. 2016, supplement: the gates are normed together, the candidate alone; one bias."""
    h = states[0]
    n = h.size
    W, Wh = np.split(w["kernel"], [2 * n], axis=1)
    U, Uh = np.split(w["recurrent_kernel"], [2 * n], axis=1)
    (g, gh), (k, kh), (b, bh) = (np.split(w[name], [2 * n]) for name in ("kernel_gain", "recurrent_gain", "bias"))
    z, r = parts(sigma(normed(W.T @ x, epsilon) * g + normed(U.T @ h, epsilon) * k + b), 2)
    candidate = np.tanh(normed(Wh.T @ x, epsilon) * gh + bh + r * (normed(Uh.T @ h, epsilon) * kh))
    h = (1 - z) * h + z * candidate
    return h, [h]
