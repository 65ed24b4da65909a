"""States of all steps: equal on the engines, repeated at masked steps; gates equal to the equations."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import pytest

from seqtasks import engines
from seqtasks.cells import make_cell
from seqtasks.engines import LoopInputs, native
from seqtasks.engines.native import library
from seqtasks.engines.trace import gates, previous, trace

MASKS = {
    "none": None,
    "right": [[1, 1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0]],
    "gaps": [[1, 0, 1, 1, 0, 0, 1], [0, 0, 1, 1, 0, 1, 0], [0, 1, 1, 1, 1, 1, 1]],
}


def built(name, units=8, features=5):
    keras.utils.set_random_seed(len(name))
    cell = make_cell(name, units)
    cell.build((None, features))
    return cell


def arguments(cell, mask=None, reverse=False, seed=0):
    rng = np.random.default_rng(seed)
    x, *states = (rng.normal(size=shape).astype("f4") for shape in [(3, 7, 5), *((3, n) for n in cell.state_size)])
    mask = None if mask is None else np.array(mask, bool)
    return LoopInputs(keras.ops.convert_to_tensor(x), [keras.ops.convert_to_tensor(s) for s in states], mask, reverse)


@pytest.mark.skipif(library.library() is None, reason="the loop in C was not built")
@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "backward"])
@pytest.mark.parametrize("name", native.KINDS)
def test_states_of_the_native_engine_are_those_of_the_loop(name, reverse, mask):
    cell = built(name)
    inputs = arguments(cell, mask, reverse)
    fast, slow = trace("native", cell, inputs), trace("loop", cell, inputs)
    pairs = [(fast.outputs, slow.outputs), *zip(fast.states, slow.states, strict=True)]
    for one, other in [*pairs, *zip(fast.final, slow.final, strict=True)]:
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-6)
    declared, expected = gates(cell, inputs, fast), gates(cell, inputs, slow)
    assert declared.keys() == expected.keys()
    valid = np.ones((3, 7), bool) if mask is None else np.array(mask, bool)
    for gate, values in declared.items():
        np.testing.assert_allclose(values[valid], np.asarray(expected[gate])[valid], rtol=0, atol=1e-6)
        assert not values[~valid].any()


@pytest.mark.parametrize("name", ["lstm", "lru", "ind_rnn", "lstmp", "phased_lstm"])
def test_outputs_and_final_states_are_those_of_the_engine(name):
    cell = built(name)
    inputs = arguments(cell, MASKS["gaps"])
    inputs = dataclasses.replace(inputs, x=cell.join_inputs(inputs.x))
    outputs, final = engines.ENGINES["loop"].run(cell, inputs)
    traced = trace("loop", cell, inputs)
    np.testing.assert_allclose(traced.outputs, outputs, rtol=0, atol=1e-6)
    for last, state, states in zip(final, traced.final, traced.states, strict=True):
        np.testing.assert_allclose(state, last, rtol=0, atol=1e-6)
        np.testing.assert_array_equal(np.asarray(states)[:, -1], np.asarray(state))


def test_a_masked_step_repeats_the_state_before_it():
    cell = built("lstm")
    inputs = arguments(cell, MASKS["gaps"])
    for engine in ("native", "loop") if library.library() is not None else ("loop",):
        for state, start in zip(trace(engine, cell, inputs).states, inputs.states, strict=True):
            before = np.asarray(previous(state, start, False))
            masked = ~inputs.mask
            np.testing.assert_array_equal(np.asarray(state)[masked], before[masked])


def test_gates_are_those_of_the_equations():
    cell = built("lstm")
    inputs = arguments(cell)
    traced = trace("loop", cell, inputs)
    h, x = np.asarray(previous(traced.states[0], inputs.states[0], False)), np.asarray(inputs.x)
    W, U, b = (np.asarray(weight) for weight in cell.get_weights())
    expected = dict(zip(("input", "forget", None, "output"), np.split(x @ W + h @ U + b, 4, axis=-1), strict=True))
    computed = gates(cell, inputs, traced)
    assert sorted(computed) == ["forget", "input", "output"]
    for name, values in computed.items():
        np.testing.assert_allclose(values, 1 / (1 + np.exp(-expected[name])), atol=1e-5)


def test_a_table_of_tokens_has_the_gates_of_its_rows():
    cell = built("gru")
    inputs = arguments(cell)
    table, tokens = np.asarray(inputs.x)[0], np.array([[0, 3, 3], [6, 1, 0], [2, 2, 5]], "int32")
    rows = LoopInputs(keras.ops.convert_to_tensor(table[tokens]), inputs.states)
    by_token = LoopInputs(keras.ops.convert_to_tensor(table), inputs.states, tokens=tokens)
    traced = trace("loop", cell, rows)
    for name, values in gates(cell, by_token, traced).items():
        np.testing.assert_allclose(values, gates(cell, rows, traced)[name], atol=1e-6)


def test_a_cell_that_declares_no_gates_has_none():
    cell = built("simple_rnn")
    inputs = arguments(cell)
    assert gates(cell, inputs, trace("loop", cell, inputs)) == {}


def test_a_shift_changes_the_later_states_and_the_output_that_is_the_state():
    cell = built("simple_rnn")
    inputs = arguments(cell)
    shift = np.zeros((3, 7, 8), "f4")
    shift[:, 2] = 0.5
    plain, shifted = (trace("loop", cell, inputs, s) for s in (None, [keras.ops.convert_to_tensor(shift)]))
    difference = np.asarray(shifted.outputs) - np.asarray(plain.outputs)
    np.testing.assert_array_equal(difference[:, :2], 0)
    np.testing.assert_allclose(difference[:, 2], 0.5, atol=1e-6)
    assert np.abs(difference[:, 3:]).min() > 0
