"""Engines, which run the loop over time; only this package depends on the backend.

Each engine is a module that implements the `Engine` protocol; `choose` selects one by name.
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
    """Returns the name of the engine that runs a cell.

    Args:
        name: `"auto"` or the name of an engine. `"auto"` selects `keras` on a GPU, because it uses cuDNN. On
            a CPU, and for cells without a Keras layer, it selects the first that can run the cell of
            `native`, `keras`, `parallel` (cells that are linear in their state) and `loop` (every cell).
        cell: The cell.
        recurrent_dropout: Rate of recurrent dropout, in [0, 1).
        zoneout: Rate of zoneout, in [0, 1).
        portable: Whether only operations of the backend itself may be used, which can be compiled by XLA
            and exported. This excludes `native`, which is then treated as `"auto"`.

    Raises:
        ConfigError: There is no engine of this name, or it cannot run the cell.
    """
    if name not in ("auto", *ENGINES):
        raise ConfigError(f"unknown engine {name!r}; allowed: auto, {', '.join(sorted(ENGINES))}; choose one of them")
    reasons = {key: engine.unsupported_reason(cell, recurrent_dropout, zoneout) for key, engine in ENGINES.items()}
    if portable:
        reasons["native"] = "its operations cannot be compiled by XLA or exported"
        name = "auto" if name == "native" else name
    if name == "auto":
        order = ("keras", "native", "parallel", "loop") if gpus() else ("native", "keras", "parallel", "loop")
        return next(engine for engine in order if reasons[engine] is None)
    if reasons[name]:
        raise ConfigError(f"encoder.engine={name} cannot run this: {reasons[name]}; use encoder.engine=loop or auto")
    return name


def available(cell: Cell) -> list[str]:
    """Returns the names of the engines that can run a cell."""
    return [name for name, engine in ENGINES.items() if engine.unsupported_reason(cell) is None]
