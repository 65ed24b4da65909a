"""Contract test of a recurrent cell."""

from __future__ import annotations

from typing import Any

from seqtasks import engines
from seqtasks.core import plugins
from seqtasks.testing.cell_fixture import Subject, eager
from seqtasks.testing.cell_lifecycle import check_config, check_keras, check_model
from seqtasks.testing.cell_numerics import (
    Oracle,
    check_dropout,
    check_engines_agree,
    check_equations,
    check_formula,
    check_gradients,
    check_precision,
    check_start,
)
from seqtasks.testing.gap_rules import check_gaps
from seqtasks.testing.sequence_rules import check_stack, check_time


def check_cell(name: str, options: dict[str, Any] | None = None, units: int = 5, oracle: Oracle | None = None) -> None:
    """Checks the contract of a registered cell, on every engine that can run it.

    - Masks and states: padding changes no output, state, loss or gradient; a mask that Keras attaches
      to the input equals a mask argument; masked steps inside a sequence and sequences without a valid
      step; both directions; chunks with carried state equal the whole sequence; single rows can be
      reset; no gradient flows across windows.
    - Numbers: gradients equal finite differences in float64; every weight has an effect; the number of
      parameters equals the formula; engines agree; float16; recurrent matrices meet the previous state through
      variational dropout.
    - Time-aware cells, also with random gaps and observation masks in all of the above: gaps of 1 equal no
      gaps; the scale of gaps has an effect; gaps of padding have none and those of other masked steps add
      up; the backward direction reads the gap to the later step; chunks; values that were not observed
      have no effect.
    - Keras: two bidirectional layers; `keras.layers.RNN(cell)`; configuration and `.keras` file restore
      the cell; batches of any size.

    Args:
        name: Name of the cell, or path of its file.
        options: Options of the cell.
        units: Number of hidden units.
        oracle: The equations in NumPy, for comparison: `oracle(x, states, weights, **options)` returns
            the output and the new states of one time step, in float64. x is (features,), a state
            (size,), and `weights` maps the names of the cell's weights to arrays. For a time-aware cell
            `gap` is also given, a number, and `observed`, (features,) of bools, if the cell uses it.

    Raises:
        AssertionError: The cell breaks a rule, which the message names.

    Example:
        >>> from seqtasks.testing import check_cell
        >>> check_cell("gru")  # doctest: +SKIP
        >>> check_cell("./my_cell.py", {"gate_bias": -1.0})  # doctest: +SKIP
    """
    name = plugins.load_cell(name).cell_name
    subject = Subject(name, dict(options or {}), units)
    with eager():
        others = [engine for engine in engines.available(subject.cell()) if engine != "loop"]
        for engine in ("loop", *others):
            check_time(subject, engine)
            check_gaps(subject, engine)
            check_gradients(subject, engine, oracle)
            if oracle is not None:
                check_equations(subject, engine, oracle)
            if engine != "loop":
                check_engines_agree(subject, engine)
        check_formula(subject.cell())
        check_dropout(subject)
        check_start(subject)
        check_precision(subject)
        check_stack(subject)
        check_keras(subject)
        check_config(subject)
    check_model(subject)
