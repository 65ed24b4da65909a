"""Base class of cells whose state is a matrix for each head."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.cells.initial_values import log_step_sizes, numpy_generator
from seqtasks.cells.recurrence import Recurrence
from seqtasks.core.errors import ConfigError


class MatrixCell(Cell):
    """Base class of cells whose state is a matrix for each head, `(head_size, head_size)`.

    Such a cell writes a key and a value into the matrix at each step, as their outer product, and reads it by a query.
    It is linear in its state, and runs in parallel over time in chunks: within a chunk by products of matrices,
    between the chunks by the state. A subclass defines, besides `project` and `step`:

    - `chunk`, which computes the steps of a chunk at once, usually by `linear_attention` or `delta_rule`;
    - `scan`, by the line `scan = MatrixCell.scan_chunks`.

    Args:
        units: Number of hidden units, at least 1; a multiple of `heads`.
        heads: Number of heads, at least 1. The state of a head is a matrix with `units / heads` rows and columns, so
            that more heads mean a smaller state.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1, or `heads` does not divide it.

    Example:
        >>> from seqtasks.cells import DeltaNet
        >>> cell = DeltaNet(8, heads=2)
        >>> cell.head_size, cell.state_size
        (4, [32])
    """

    states: ClassVar[tuple[str, ...]] = ("S",)
    scans_chunks: ClassVar[bool] = True

    def __init__(self, units: int, heads: int = 1, **kwargs: Any):
        super().__init__(units, **kwargs)
        if not isinstance(heads, int) or heads < 1 or units % heads:
            raise ConfigError(
                f"heads is {heads} with {units} units; allowed: a divisor of units; set encoder.options.heads to one"
            )
        self.heads = heads

    @property
    def head_size(self) -> int:
        """Width of a key, a value and a query of one head."""
        return self.units // self.heads

    @property
    def state_size(self) -> list[int]:
        """Width of the state, that of the matrices of all heads as one row."""
        return [self.units * self.head_size]

    @classmethod
    def units_multiple(cls, options: dict[str, Any]) -> int:
        """The number of heads."""
        return int(options.get("heads", 1))

    def scan_chunks(self, p: Any, states: Sequence[Any], recur: Recurrence) -> tuple[Any, list[Any]]:
        """Computes all time steps in chunks; a subclass assigns it to `scan`, see `Cell.scan`."""
        return recur.chunks(self.chunk, p, states, self.output_size)

    def chunk(self, p: Any, states: Sequence[Any], valid: Any) -> tuple[Any, list[Any]]:
        """Computes the steps of a chunk at once, in float32 or float64.

        Args:
            p: Projected inputs, `(batch, steps, width)`; zero at masked steps.
            states: States before the chunk, `(batch, size)` each.
            valid: Bool `(batch, 1, steps, 1)`, false at masked steps, which must not change the states; None: all steps
                are valid.

        Returns:
            Outputs, `(batch, steps, output_size)`, and the states after the chunk. Outputs at masked steps are
            not used.
        """
        raise NotImplementedError

    def matrices(self, state: Any) -> Any:
        """Reshapes a state, `(batch, size)`, to `(batch, heads, rows, head_size)`."""
        return ops.reshape(state, (-1, self.heads, state.shape[-1] // self.units, self.head_size))

    def of_step(self, values: Any) -> Any:
        """Divides `(batch, heads * size)` among the heads: `(batch, heads, size)`."""
        return ops.reshape(values, (-1, self.heads, values.shape[-1] // self.heads))

    def of_chunk(self, values: Any) -> Any:
        """Divides `(batch, steps, heads * size)` among heads: `(batch, heads, steps, size)`."""
        _, steps, width = values.shape
        return ops.swapaxes(ops.reshape(values, (-1, steps, self.heads, width // self.heads)), 1, 2)

    def joined(self, values: Any) -> Any:
        """Joins heads, `(batch, heads, steps, size)`, to `(batch, steps, heads * size)`."""
        _, heads, steps, size = values.shape
        return ops.reshape(ops.swapaxes(values, 1, 2), (-1, steps, heads * size))

    @staticmethod
    def flat(matrices: Any) -> Any:
        """Reshapes matrices, `(batch, heads, rows, columns)`, to a state, `(batch, size)`."""
        _, heads, rows, columns = matrices.shape
        return ops.reshape(matrices, (-1, heads * rows * columns))


def read(q: Any, S: Any) -> Any:
    """Product of a query, `(batch, heads, rows)`, and a matrix, `(batch, heads, rows, columns)`."""
    return ops.squeeze(ops.expand_dims(q, -2) @ S, -2)


def outer(k: Any, v: Any) -> Any:
    """Outer product of `k`, `(batch, heads, rows)`, and `v`, `(batch, heads, columns)`."""
    return ops.expand_dims(k, -1) * ops.expand_dims(v, -2)


def unit_length(x: Any) -> Any:
    """Scales vectors along the last axis to length 1; a vector much shorter than 1e-3 becomes shorter."""
    return x * ops.rsqrt(ops.sum(ops.square(x), axis=-1, keepdims=True) + 1e-6)


def initial_decay(heads: int) -> tuple[np.ndarray, np.ndarray]:
    """Random initial values of Mamba-2's decay exp(-exp(A) softplus(… + b)) for each head.

    Args:
        heads: Number of heads.

    Returns:
        A, the logarithms of uniform numbers from 1 to 16, and b, whose softplus is log-uniform from 0.001 to 0.1.
    """
    rng = numpy_generator()
    step = np.exp(log_step_sizes(rng, 0.001, 0.1, heads))
    return np.log(rng.uniform(1, 16, heads)), np.log(np.expm1(step))


def masked(valid: Any, value: Any, neutral: float = 0.0) -> Any:
    """Replaces values at masked steps by a neutral one; `valid` is None where no step is masked."""
    return value if valid is None else ops.where(valid, value, ops.full_like(value, neutral))
