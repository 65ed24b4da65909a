"""Exponential RNN (expRNN), whose recurrent matrix is orthogonal."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb, factorial
from typing import Any

import keras
import numpy as np
from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.cells.initial_values import identity, numpy_generator
from seqtasks.cells.registration import register_cell

ORDER, SQUARINGS = 3, 6  # of the approximation of the exponential; its error is below 2e-6 for angles up to 8π


@register_cell("exp_rnn", paper="https://arxiv.org/abs/1901.08428", year=2019, params="n*(m + 1) + angles")
class ExpRNN(Cell):
    r"""Exponential RNN (expRNN): the recurrent matrix is orthogonal by its parametrization.

    .. math::
        h_t = \mathrm{modReLU}(x_t W + h_{t-1} \exp(A)), \quad
        \mathrm{modReLU}(z) = \mathrm{sign}(z) \odot \max(|z| + b, 0)

    W is `(features, units)` and b is `(units,)`. A is `(units, units)` and
    skew-symmetric; the trained weight holds its entries above the diagonal. So exp(A)
    is orthogonal, with determinant 1, whatever the weights are, and the norm of a
    state neither grows nor shrinks by it. The exponential is computed once for each
    call of a layer, by a Padé approximant with scaling and squaring, which is
    orthogonal in itself, and without its rounding errors. A starts as rotations of pairs of units, by
    the angles of Helfrich et al. (2018).

    The state h is `(batch, units)`, starts as zeros, and is also the output. The paper
    trains A with a smaller learning rate than the other weights.

    Args:
        units: Number of hidden units, at least 1.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1.

    Reference:
        Lezcano-Casado & Martínez-Rubio, Cheap orthogonal constraints in neural
        networks: a simple parametrization of the orthogonal and unitary group (2019).
        https://arxiv.org/abs/1901.08428

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> layer = layers.Recurrent(cells.ExpRNN(8))
        >>> outputs, (h,) = layer(np.zeros((2, 5, 3), "float32"))
        >>> B = np.asarray(layer.cell.orthogonal())
        >>> tuple(outputs.shape), bool(np.allclose(B.T @ B, np.eye(8), atol=1e-6))
        ((2, 5, 8), True)
    """

    @property
    def angles(self) -> int:
        """Number of entries of A above the diagonal."""
        return comb(self.units, 2)

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        rng = numpy_generator()
        rows, columns = np.triu_indices(n, 1)
        cos = np.cos(rng.uniform(0, np.pi / 2, self.angles))
        pairs = (rows % 2 == 0) & (columns == rows + 1)
        self.W = self.add_kernel(m, n)
        start = np.where(pairs, -np.sqrt((1 - cos) / (1 + cos)), 0)
        self.A = self.add_weight(
            (self.angles,), lambda shape, dtype=None: ops.convert_to_tensor(start, dtype), name="recurrent_angles"
        )
        self.b = self.add_weight((n,), keras.initializers.RandomUniform(-0.01, 0.01), name="bias")
        self.index, self.sign = np.zeros((n, n), "int32"), np.triu(np.ones((n, n)), 1)
        self.index[rows, columns] = self.index[columns, rows] = 1 + np.arange(self.angles)
        self.sign -= self.sign.T

    def project(self, x: Any) -> Any:
        return x @ self.W

    def prepare(self) -> dict[str, Any]:
        return {"B": self.orthogonal()}

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        z = p + self.dot(states[0], self.prepared("B"))
        h = ops.sign(z) * ops.relu(ops.abs(z) + self.b)
        return h, [h]

    def orthogonal(self) -> Any:
        """The recurrent matrix exp(A), `(units, units)`."""
        angles = ops.convert_to_tensor(self.A)
        wide = keras.backend.result_type(angles.dtype, "float32")  # solving needs at least float32
        entries = ops.concatenate([ops.zeros((1,), wide), ops.cast(angles, wide)], axis=0)
        A = ops.take(entries, self.index, axis=0) * ops.convert_to_tensor(self.sign, wide)
        return ops.cast(exponential(A), angles.dtype)


def exponential(A: Any) -> Any:
    """Exponential of a skew-symmetric matrix.

    The approximant is p(A) / p(-A) for a polynomial p, which is orthogonal if A is skew-symmetric.

    Args:
        A: Matrix, `(n, n)`.
    """
    A = A / 2**SQUARINGS
    square, power = A @ A, identity(A.shape[0], A.dtype)
    even, odd = ops.zeros_like(A), ops.zeros_like(A)
    for k in range(0, ORDER, 2):
        even, odd = even + _coefficient(k) * power, odd + _coefficient(k + 1) * power
        power = power @ square
    odd = A @ odd
    result = ops.linalg.solve(even - odd, even + odd)
    for _ in range(SQUARINGS):
        result = result @ result
    for _ in range(2):  # steps of Newton's method towards an orthogonal matrix, which remove the rounding errors
        result = 1.5 * result - 0.5 * result @ (ops.transpose(result) @ result)
    return result


def _coefficient(k: int) -> float:
    """Coefficient k of the numerator of the diagonal Padé approximant of the exponential."""
    return factorial(2 * ORDER - k) * factorial(ORDER) / (factorial(2 * ORDER) * factorial(k) * factorial(ORDER - k))
