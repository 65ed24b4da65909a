"""`Cell.prepare` takes the parts of recurrent matrices once, before the loop over time."""

import numpy as np
import pytest

from seqtasks.cells.registration import make_cell

PREPARED = [
    *("antisymmetric_rnn", "gated_antisymmetric_rnn", "co_rnn", "gru_v1", "gru_d", "lipschitz_rnn", "ode_rnn"),
    *("mgu", "mgu1", "mgu2", "mut1", "mut2", "mut3", "wmc_lstm"),
]


@pytest.mark.parametrize("name", PREPARED)
def test_a_prepared_step_is_that_of_a_single_call_and_reads_no_whole_matrix(name: str) -> None:
    rng = np.random.default_rng(0)
    cell = make_cell(name, 4)
    cell.build((None, 3))
    p = cell.project(cell.join_inputs(rng.normal(size=(2, 3)).astype("float32")))
    states = [rng.normal(size=(2, size)).astype("float32") for size in cell.state_size]
    matrix = "V" if name == "wmc_lstm" else "U"
    _, expected = cell.step(p, states)
    with cell.preparation():
        weight = cell.__dict__[matrix]
        cell.__dict__[matrix] = None  # a use in `step` raises
        try:
            _, actual = cell.step(p, states)
        finally:
            cell.__dict__[matrix] = weight
    for a, b in zip(actual, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)
