"""The contract of a recurrent cell."""

from __future__ import annotations

from typing import Any

from seqtasks import engines
from seqtasks.core import plugins
from seqtasks.testing.cell_fixture import Subject, eager
from seqtasks.testing.cell_lifecycle import check_config, check_keras, check_model
from seqtasks.testing.cell_numerics import (
    Oracle,
    check_engines_agree,
    check_equations,
    check_formula,
    check_gradients,
    check_precision,
    check_start,
)
from seqtasks.testing.sequence_rules import check_stack, check_time


def check_cell(name: str, options: dict[str, Any] | None = None, units: int = 5, oracle: Oracle | None = None) -> None:
    """Checks everything that seqtasks promises of a registered cell, on every engine that can run it.

    - Padding changes no output, state, loss or gradient; a mask that Keras attached to the input
      equals one that is an argument; rows without a real step and
      holes in the mask; both directions; chunks with carried state equal the whole; rows
      are reset one by one; no gradient flows over the border of windows.
    - Float64 gradients against finite differences; every weight has an effect; parameters
      are as many as the formula says; the engines agree; float16.
    - Two bidirectional layers; `keras.layers.RNN(cell)`; the configuration and a `.keras`
      file bring the cell back; batches of any size.

    Args:
        name: of the cell, or the file that defines it.
        options: of the cell.
        units: its width.
        oracle: the equations once more, in NumPy: `oracle(x, states, weights, **options)`
            → output, new states, where x is (features,), a state (size,), and `weights`
            maps the names of the cell's weights to arrays. All in float64.

    Raises:
        AssertionError: a promise is broken; the message names it.
    """
    name = plugins.load_cell(name).cell_name
    subject = Subject(name, dict(options or {}), units)
    with eager():
        others = [engine for engine in engines.available(subject.cell()) if engine != "loop"]
        for engine in ("loop", *others):
            check_time(subject, engine)
            check_gradients(subject, engine, oracle)
            if oracle is not None:
                check_equations(subject, engine, oracle)
            if engine != "loop":
                check_engines_agree(subject, engine)
        check_formula(subject.cell())
        check_start(subject)
        check_precision(subject)
        check_stack(subject)
        check_keras(subject)
        check_config(subject)
    check_model(subject)
