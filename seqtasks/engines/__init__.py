"""How the loop over time is executed. Only this package may know a backend.

An engine is a function `run(cell, x, states, mask, reverse, sequences, dot_mask)`
obeying the rules of time (see `seqtasks.recurrent`). `choose` picks one by name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from seqtasks.engines import loop, stock
from seqtasks.errors import ConfigError

if TYPE_CHECKING:
    from seqtasks.cells.base import Cell

ENGINES = {"keras": stock, "loop": loop}


def choose(name: str, cell: Cell, recurrent_dropout: float = 0.0) -> str:
    """The name of the engine that will run a cell.

    Args:
        name: `"auto"` or an engine's name. `auto` takes `keras` where it is right for
            the case, as it brings cuDNN on a GPU, else `loop`, which runs every cell.
        cell: the cell.
        recurrent_dropout: the rate, in [0, 1).

    Raises:
        ConfigError: no such engine, or it cannot run the cell; the reason is named.
    """
    if name == "loop":
        return name
    reason = stock.refuses(cell, recurrent_dropout)
    if name == "auto":
        return "loop" if reason else "keras"
    if name not in ENGINES:
        raise ConfigError(f"unknown engine {name!r}; allowed: auto, {', '.join(sorted(ENGINES))}")
    if reason:
        raise ConfigError(f"encoder.engine=keras cannot run this: {reason}; use encoder.engine=loop or auto")
    return name


def available(cell: Cell) -> list[str]:
    """The engines that can run a cell."""
    return [name for name in sorted(ENGINES) if name == "loop" or not stock.refuses(cell, 0.0)]
