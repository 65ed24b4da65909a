"""The interface of linear recurrences over time, an argument of `Cell.scan`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

Repeat = Callable[[Any, Any], Any]  # `Recurrence.repeat`, or `as_it_is` in a single step


class Recurrence(Protocol):
    """Linear recurrences over time, the third argument of `Cell.scan`; see `seqtasks.engines.parallel`.

    All tensors have the time axis first. A masked step repeats the result of the step before it.
    """

    def __call__(self, a: Any, b: Any, h0: Any) -> Any:
        """Solves h_t = a_t ⊙ h_{t-1} + b_t for all time steps at once.

        Args:
            a: Factors, of a shape that can be broadcast to that of `b`.
            b: Summands, `(time, batch, size)`.
            h0: State before the first step, `(batch, size)`.

        Returns:
            The states h_t of all steps, `(time, batch, size)`.
        """

    def maximum(self, d: Any, k: Any, m0: Any) -> Any:
        """Solves m_t = max(m_{t-1} + d_t, k_t) for all time steps at once.

        Args:
            d: Summands, of a shape that can be broadcast to that of `k`.
            k: Lower bounds of the results, `(time, batch, size)`.
            m0: Value before the first step, `(batch, size)`.

        Returns:
            The values m_t of all steps, `(time, batch, size)`.
        """

    def shift(self, v: Any, v0: Any) -> tuple[Any, Any]:
        """Shifts a sequence by one valid step, for equations that use the input of the step before.

        Args:
            v: Sequence, `(time, batch, size)`.
            v0: Value before the first valid step, `(batch, size)`.

        Returns:
            Two tensors `(time, batch, size)`: for each step, `v` of the valid step before it, and `v` of the last valid
            step up to and including it.
        """

    def steps(self) -> Any:
        """Counts the valid steps up to and including each step.

        Returns:
            A float tensor, `(time, batch, 1)`, or `(time, 1, 1)` without a mask.
        """

    def repeat(self, weight: Any, like: Any) -> Any:
        """Repeats a weight for each step and sequence, so that its gradient is computed fast.

        Args:
            weight: Weight or value made from weights, `(size,)`, or such values of each step, `(time, 1, size)`.
            like: Tensor with the first two axes of the result, `(time, batch, …)`.

        Returns:
            A tensor `(time, batch, size)`.
        """

    def chunks(self, chunk: Callable[..., Any], p: Any, states: Sequence[Any], size: int) -> tuple[Any, list[Any]]:
        """Runs a function on chunks of consecutive steps, for states that are too large to be kept for every step.

        Between the chunks, the states are carried as in the loop; memory is linear in time.

        Args:
            chunk: Function `outputs, states = chunk(p, states, valid)`, as `MatrixCell.chunk`. It computes in float32
                or float64.
            p: Projected inputs, `(time, batch, width)`.
            states: States before the first step, each `(batch, …)`.
            size: Width of the outputs.

        Returns:
            Outputs, `(time, batch, size)`, and a list of each state after the last step, `(1, batch, …)`.
        """


def as_it_is(weight: Any, like: Any) -> Any:
    """`Recurrence.repeat` of a single step, in which a weight broadcasts."""
    return weight
