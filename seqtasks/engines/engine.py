"""What every engine implements: the `Engine` protocol and `LoopInputs`, the arguments of one pass over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from seqtasks.cells.base import Cell

ZONEOUT = "zoneout changes each step of the loop"  # the reason of every engine but `loop`
Tensor: TypeAlias = Any  # of the running backend; Keras has no type for it


@dataclass(frozen=True, eq=False)
class LoopInputs:
    """The sequences, states and masks of one pass over time.

    Args:
        x: Inputs, (batch, time, features).
        states: States before the first step, each (batch, size).
        mask: (batch, time), true at valid steps; None: all steps are valid.
        reverse: Start at the last step. Outputs keep the order of `x`.
        return_sequences: Return the outputs of all steps, else that of the last valid step.
        dropout_mask: (batch, size), factor of the state in recurrent products; engine `loop` only.
        zoneout: Engine `loop` only. A number is the fraction of the old state that stays (inference); a list has one
            (batch, time, size) of bool for each state, true where the old value stays (training).
        projected: `x` is the output of `Cell.project`, (batch, time, width); engine `loop` only.
        tokens: (batch, time), rows of `x` to read at each step; `x` is then a table, (vocabulary, features). Engine
            `native` only.
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
    """A way of executing the loop over time. The modules of this folder are engines.

    All obey the same rules: a masked step copies the state and its output is zero; a row without a valid step gives
    zeros and its initial state.
    """

    def unsupported_reason(self, cell: Cell, recurrent_dropout: float = 0.0, zoneout: float = 0.0) -> str | None:
        """Why the engine cannot run a cell at these rates, or None if it can."""

    def run(self, cell: Cell, inputs: LoopInputs) -> tuple[Tensor, list[Tensor]]:
        """Runs a built cell over time.

        Returns:
            Outputs (batch, time, units), or (batch, units) of the last valid step, and the final states (batch, size).
        """
