"""The `Engine` protocol and `LoopInputs`, the arguments of one pass over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from seqtasks.cells.base import Cell

ZONEOUT = "zoneout changes each step of the loop"  # reason of every engine but `loop`
Tensor: TypeAlias = Any  # a tensor of the backend, for which Keras has no type


@dataclass(frozen=True, eq=False)
class LoopInputs:
    """Sequences, states and masks of one pass over time.

    Args:
        x: Inputs, `(batch, time, features)`.
        states: States before the first step, each `(batch, size)`.
        mask: `(batch, time)`, true at valid steps; None: all steps are valid.
        reverse: Whether to run from the last step to the first. Outputs keep the order of `x`.
        return_sequences: Whether to return outputs of all steps, not only of the last valid one.
        dropout_mask: Factor of the state in recurrent products, `(batch, size)`; engine `loop` only.
        zoneout: Engine `loop` only. A number: fraction of the old state that is kept (inference). A list: one
            bool `(batch, time, size)` for each state, true where the old value is kept (training).
        projected: Whether `x` is the output of `Cell.project`, `(batch, time, width)`; engine `loop` only.
        tokens: Rows of `x` to read at each step, `(batch, time)`; `x` is then a table, `(vocabulary,
            features)`. Engine `native` only.
    """

    x: Tensor
    states: Sequence[Tensor]
    mask: Tensor = None
    reverse: bool = False
    return_sequences: bool = True
    dropout_mask: Tensor = None
    zoneout: float | list[Tensor] | None = None
    projected: bool = False
    tokens: Tensor = None


class Engine(Protocol):
    """An implementation of the loop over time; the engines are modules of this folder.

    All treat masks in the same way: a masked step copies the state and has output zero; a row without a
    valid step has zero outputs and its initial state as final state.
    """

    def unsupported_reason(self, cell: Cell, recurrent_dropout: float = 0.0, zoneout: float = 0.0) -> str | None:
        """Returns why the engine cannot run a cell at these rates, or None if it can."""

    def run(self, cell: Cell, inputs: LoopInputs) -> tuple[Tensor, list[Tensor]]:
        """Runs a built cell over time.

        Returns:
            Outputs, `(batch, time, units)`, or `(batch, units)` of the last valid step, and the final states,
            each `(batch, size)`.
        """
