"""The loops of `engines.native` step by step in PyTorch, in float64."""

from seqtasks.engines.native.library import COUPLED_LSTM, GRU, LSTM, PEEPHOLE_LSTM, SIMPLE_RNN


def step(kind, p, h, c, u, b):
    """One step: new h and c."""
    import torch

    n, squash, gate = h.shape[1], torch.tanh, torch.sigmoid
    if kind == SIMPLE_RNN:
        return squash(p + h @ u), c
    if kind in (LSTM, PEEPHOLE_LSTM):
        peep = b.split(n) if kind == PEEPHOLE_LSTM else [torch.zeros(n)] * 3
        i, f, g, o = (p + h @ u).split(n, 1)
        c = gate(f + peep[1] * c) * c + gate(i + peep[0] * c) * squash(g)
        return gate(o + peep[2] * c) * squash(c), c
    if kind == COUPLED_LSTM:
        f, g, o = (p + h @ u).split(n, 1)
        c = gate(f) * c + (1 - gate(f)) * squash(g)
        return gate(o) * squash(c), c
    if kind == GRU:
        product = h @ u + b
        z, r = gate(p[:, : 2 * n] + product[:, : 2 * n]).split(n, 1)
        new = squash(p[:, 2 * n :] + r * product[:, 2 * n :])
    else:
        z, r = gate(p[:, : 2 * n] + h @ u[:, : 2 * n]).split(n, 1)
        new = squash(p[:, 2 * n :] + (r * h) @ u[:, 2 * n :])
    return z * h + (1 - z) * new, c


def gradients(loop, results):
    """Results and gradients by the names of `arrays.States` and `arrays.Gradients`."""
    import torch

    def leaf(array):
        return None if array is None else torch.tensor(array.astype("float64"), requires_grad=True)

    names = ("x", "w", "bias", "u", "b", "h0", "c0")
    leaves = {name: leaf(getattr(loop, name)) for name in names}
    x, w, bias, u, b, h0, c0 = leaves.values()
    inputs = x if loop.tokens is None else x[torch.tensor(loop.tokens, dtype=torch.long)]
    p, steps = inputs @ w + bias, inputs.shape[1]
    h, c, outputs = h0, c0, [None] * steps
    for t in reversed(range(steps)) if loop.reverse else range(steps):
        new, new_c = step(loop.kind, p[:, t], h, c, u, b)
        real = torch.ones(len(h), 1, dtype=torch.bool)
        if loop.mask is not None:
            real = torch.tensor(loop.mask[:, t])[:, None]
        outputs[t] = torch.where(real, new, 0.0)
        h, c = torch.where(real, new, h), None if c is None else torch.where(real, new_c, c)
    out = torch.stack(outputs, 1) if outputs else torch.zeros(len(h0), 0, h0.shape[1], dtype=torch.float64)
    loss = (out * torch.tensor(results.dout)).sum() + (h * torch.tensor(results.dh_last)).sum()
    if c is not None:
        loss = loss + (c * torch.tensor(results.dc_last)).sum()
    loss.backward()
    actual = {"out": out, "h_last": h} | ({} if c is None else {"c_last": c})
    for name, array in leaves.items():
        if array is not None:
            actual[f"d{name}"] = torch.zeros_like(array) if array.grad is None else array.grad
    return {name: array.detach().numpy() for name, array in actual.items()}
