"""The three best cells of an evolutionary search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from seqtasks.cells.base import Cell, register_cell


@register_cell(
    "mut1", paper="https://proceedings.mlr.press/v37/jozefowicz15.html", year=2015, params="3*n*(m + 1) + 2*n*n"
)
class MUT1(Cell):
    r"""Mutated GRU whose update gate sees only the input.

    .. math::
        z &= \sigma(x_t W_z + b_z) \\
        r &= \sigma(x_t W_r + h_{t-1} U_r + b_r) \\
        \tilde h &= \tanh((r \odot h_{t-1}) U_h + \tanh(x_t W_h) + b_h) \\
        h_t &= z \odot \tilde h + (1 - z) \odot h_{t-1}

    W is (features, 3 units), b is (3 units,), in the order z, r, h; U is (units, 2 units),
    in the order r, h. The paper has x itself for x W_h, which needs as many features as
    units.

    Reference: Jozefowicz, Zaremba & Sutskever, An empirical exploration of recurrent
    network architectures (2015).
    """

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        self.W = self.add_kernel(m, 3 * n)
        self.U = self.add_recurrent(n, 2 * n)
        self.b = self.add_bias(3 * n)

    def project(self, x: Any) -> Any:
        n, v = self.units, x @ self.W
        z = ops.sigmoid(v[..., :n] + self.b[:n])
        new = ops.tanh(v[..., 2 * n :]) + self.b[2 * n :]
        return ops.concatenate([z, v[..., n : 2 * n] + self.b[n : 2 * n], new], axis=-1)

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        (h,) = states
        n = self.units
        z, r, new = ops.split(p, 3, axis=-1)
        r = ops.sigmoid(r + self.dot(h, self.U[:, :n]))
        h = z * ops.tanh(new + self.dot(r * h, self.U[:, n:])) + (1 - z) * h
        return h, [h]


@register_cell("mut2", paper="https://proceedings.mlr.press/v37/jozefowicz15.html", year=2015, params="3*n*(m + n + 1)")
class MUT2(Cell):
    r"""Mutated GRU that stays closest to it.

    .. math::
        z &= \sigma(x_t W_z + h_{t-1} U_z + b_z) \\
        r &= \sigma(x_t W_r + h_{t-1} U_r + b_r) \\
        \tilde h &= \tanh((r \odot h_{t-1}) U_h + x_t W_h + b_h) \\
        h_t &= z \odot \tilde h + (1 - z) \odot h_{t-1}

    W is (features, 3 units), U is (units, 3 units), b is (3 units,), in the order z, r, h.
    The paper has x itself for x W_r, which needs as many features as units; with W_r it
    is `gru_v1` with z the other way round.

    Reference: Jozefowicz, Zaremba & Sutskever, An empirical exploration of recurrent
    network architectures (2015).
    """

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        self.W = self.add_kernel(m, 3 * n)
        self.U = self.add_recurrent(n, 3 * n)
        self.b = self.add_bias(3 * n)

    def project(self, x: Any) -> Any:
        return x @ self.W + self.b

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        (h,) = states
        n = 2 * self.units
        z, r = ops.split(ops.sigmoid(p[:, :n] + self.dot(h, self.U[:, :n])), 2, axis=-1)
        h = z * ops.tanh(p[:, n:] + self.dot(r * h, self.U[:, n:])) + (1 - z) * h
        return h, [h]


@register_cell("mut3", paper="https://proceedings.mlr.press/v37/jozefowicz15.html", year=2015, params="3*n*(m + n + 1)")
class MUT3(Cell):
    r"""Mutated GRU whose update gate sees the squashed state.

    .. math::
        z &= \sigma(x_t W_z + \tanh(h_{t-1}) U_z + b_z) \\
        r &= \sigma(x_t W_r + h_{t-1} U_r + b_r) \\
        \tilde h &= \tanh((r \odot h_{t-1}) U_h + x_t W_h + b_h) \\
        h_t &= z \odot \tilde h + (1 - z) \odot h_{t-1}

    W is (features, 3 units), U is (units, 3 units), b is (3 units,), in the order z, r, h.

    Reference: Jozefowicz, Zaremba & Sutskever, An empirical exploration of recurrent
    network architectures (2015).
    """

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        self.W = self.add_kernel(m, 3 * n)
        self.U = self.add_recurrent(n, 3 * n)
        self.b = self.add_bias(3 * n)

    def project(self, x: Any) -> Any:
        return x @ self.W + self.b

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        (h,) = states
        n = self.units
        z, r, new = ops.split(p, 3, axis=-1)
        z = ops.sigmoid(z + self.dot(ops.tanh(h), self.U[:, :n]))
        r = ops.sigmoid(r + self.dot(h, self.U[:, n : 2 * n]))
        h = z * ops.tanh(new + self.dot(r * h, self.U[:, 2 * n :])) + (1 - z) * h
        return h, [h]
