"""Registration of recurrent cells under names, and their construction by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import keras

from seqtasks.cells.base import Cell, cell_options
from seqtasks.core.declared_cell import check_options
from seqtasks.core.errors import ConfigError
from seqtasks.core.plugins import cells


def register_cell(
    name: str, *, paper: str, year: int | None = None, params: str | None = None
) -> Callable[[type[Cell]], type[Cell]]:
    """Class decorator that registers a cell, for `encoder.cell=NAME` and `make_cell`.

    It also registers the class with Keras, so that saved models can be loaded. The first line of the docstring of the
    class is the summary in `seqtasks list cells`.

    Args:
        name: Name of the cell in configurations, such as `"lstm"`.
        paper: Source of the equations, a URL or a citation.
        year: Year of the source.
        params: Number of trainable parameters, a formula over m features, n units and the attributes of the cell,
            such as `"4*n*(m + n + 1)"`; None: unknown.

    Returns:
        A decorator that returns the class itself.

    Raises:
        DuplicateNameError: Another cell is registered under the name.

    Example:
        >>> @register_cell("my_rnn", paper="https://arxiv.org/abs/1611.09913", year=2016)  # doctest: +SKIP
        ... class MyRNN(Cell): ...
        >>> from seqtasks.cells import LSTM  # registered as "lstm"
        >>> LSTM.cell_name, LSTM.year, LSTM.params
        ('lstm', 2000, '4*n*(m + n + 1)')
    """

    def register(cls: type[Cell]) -> type[Cell]:
        cls.cell_name, cls.paper, cls.year, cls.params = name, paper, year, params
        summary = (inspect.getdoc(cls) or "").split("\n")[0].rstrip(".")
        facts = {"summary": summary, "paper": paper, "year": year, "params": params, "states": ", ".join(cls.states)}
        inputs = {"x": True, "time_gaps": cls.uses_gaps, "observed": cls.uses_observed}
        facts["inputs"] = ", ".join(name for name, is_used in inputs.items() if is_used)
        methods = {"native": "native_loop", "keras": "keras_layer", "parallel": "scan"}
        engines = [engine for engine, method in methods.items() if cls.has_own(method)]
        facts["engines"] = ", ".join(["loop", *engines])
        cells.add(name, cls, cls.__module__, facts)
        # Only after `cells.add`: if that raises, Keras must not load saved cells of this name as this class.
        return keras.saving.register_keras_serializable("seqtasks.cells", name)(cls)

    return register


def make_cell(name: str, units: int, options: dict[str, Any] | None = None, **kwargs: Any) -> Cell:
    """Creates a registered cell by its name.

    Args:
        name: Name of the cell, see `seqtasks list cells`.
        units: Number of hidden units, at least 1.
        options: Other arguments of the cell, see `seqtasks show cell NAME`.
        **kwargs: Arguments of `keras.layers.Layer`, such as `dtype`.

    Raises:
        UnknownNameError: No cell has the name.
        ConfigError: The cell has no such option, or its value is not allowed.

    Example:
        >>> from seqtasks.cells import make_cell
        >>> cell = make_cell("lstm", 8, {"forget_bias": 2.0})
        >>> type(cell).__name__, cell.states, cell.state_size
        ('LSTM', ('h', 'c'), [8, 8])
    """
    cls = cells.get(name)
    options = options or {}
    allowed = cell_options(cls)
    check_options(name, options, allowed)
    try:
        return cls(units, **options, **kwargs)
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"cell {name} cannot be created with encoder.options {options}: {error}; see `seqtasks show cell {name}`"
        ) from error
