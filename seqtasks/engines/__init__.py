"""How the loop over time is executed. Only this package may know a backend.

Each engine is a module that follows the `Engine` protocol; `choose` picks one by name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from seqtasks.core.errors import ConfigError
from seqtasks.engines import keras_layers, loop, native, parallel
from seqtasks.engines.backend.devices import gpus
from seqtasks.engines.engine import Engine, LoopInputs

if TYPE_CHECKING:
    from seqtasks.cells.base import Cell

__all__ = ["ENGINES", "Engine", "LoopInputs", "available", "choose"]

ENGINES: dict[str, Engine] = {"native": native, "keras": keras_layers, "loop": loop, "parallel": parallel}


def choose(name: str, cell: Cell, recurrent_dropout: float = 0.0, zoneout: float = 0.0, portable: bool = False) -> str:
    """The name of the engine that will run a cell.

    Args:
        name: `"auto"` or an engine's name. `auto` takes `keras` on a GPU, as it brings
            cuDNN, and on a CPU `native`, then `keras`, where they are right for the case,
            then `parallel` for the cells that are linear in their state, else `loop`,
            which runs every cell.
        cell: the cell.
        recurrent_dropout: the rate, in [0, 1).
        zoneout: the rate, in [0, 1).
        portable: only engines whose operations are the backend's own, which it can
            compile and write into files: not `native`, instead of which `auto` decides.

    Raises:
        ConfigError: no such engine, or it cannot run the cell; the reason is named.
    """
    if name not in ("auto", *ENGINES):
        raise ConfigError(f"unknown engine {name!r}; allowed: auto, {', '.join(sorted(ENGINES))}")
    reasons = {key: engine.unsupported_reason(cell, recurrent_dropout, zoneout) for key, engine in ENGINES.items()}
    if portable:
        reasons["native"] = "its operations cannot be compiled or written into a file"
        name = "auto" if name == "native" else name
    if name == "auto":
        order = ("keras", "native", "parallel", "loop") if gpus() else ("native", "keras", "parallel", "loop")
        return next(one for one in order if reasons[one] is None)
    if reasons[name]:
        raise ConfigError(f"encoder.engine={name} cannot run this: {reasons[name]}; use encoder.engine=loop or auto")
    return name


def available(cell: Cell) -> list[str]:
    """The engines that can run a cell."""
    return [name for name, engine in ENGINES.items() if engine.unsupported_reason(cell) is None]
