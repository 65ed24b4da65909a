"""Cell contract, numbers: equations, gradients, parameter count, precision, engines."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.cells.registration import make_cell
from seqtasks.layers.parameter_matching import formula
from seqtasks.testing.cell_fixture import (
    FEATURES,
    TOLERANCE,
    Subject,
    batch,
    call,
    close,
    gradients,
    loss_of,
    start,
    timing,
    weight_values,
    with_weights,
)

Oracle = Callable[..., tuple[np.ndarray, list[np.ndarray]]]


def check_equations(subject: Subject, engine: str, oracle: Oracle) -> None:
    """Checks outputs and states against the equations in NumPy, in float64 if possible."""
    exact = subject.exact(engine)
    layer = subject.layer(engine, dtype=exact)
    x, _ = batch(2, exact)
    states, times = start(layer, len(x)), timing(layer.cell, len(x), exact)
    outputs, final = call(layer, x, initial_state=states, **times)
    everywhere = np.ones(x.shape[:2], bool)
    expected, expected_final = _by_oracle(subject, oracle, _weights(layer), x, everywhere, states, times)
    close(outputs, expected, f"the equations of the paper, engine {engine}", TOLERANCE[exact])
    for computed, state in zip(final, expected_final, strict=True):
        close(computed, state, f"the final states of the paper's equations, engine {engine}", TOLERANCE[exact])


def _weights(layer: Any) -> dict[str, np.ndarray]:
    named = {weight.name: ops.convert_to_numpy(weight).astype("float64") for weight in layer.cell.weights}
    assert len(named) == len(layer.cell.weights), "two weights of the cell have one name"
    return named


def _by_oracle(
    subject: Subject,
    oracle: Oracle,
    weights: dict[str, Any],
    x: Any,
    mask: Any,
    states: Sequence[Any],
    times: dict[str, Any],
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Outputs and final states by the oracle, in float64, for each row and time step of right-padded inputs."""
    names = {"time_gaps": "gap", "observed": "observed"}
    outputs, finals = [], []
    for row in range(len(x)):
        state, of_row = [np.asarray(s[row], "float64") for s in states], []
        for t in range(x.shape[1]):
            of_step = {names[name]: array[row, t] for name, array in times.items()}
            output, new = oracle(np.asarray(x[row, t], "float64"), state, weights, **of_step, **subject.options)
            of_row.append(output if mask[row, t] else np.zeros_like(output))
            state = new if mask[row, t] else state
        outputs.append(of_row)
        finals.append(state)
    return np.array(outputs), [np.array(state) for state in zip(*finals, strict=True)]


def check_gradients(subject: Subject, engine: str, oracle: Oracle | None = None) -> None:
    """Checks gradients of weights, inputs and states against float64 finite differences.

    The differences are computed with the cell itself, or with the oracle if Keras or the engine
    computes only in float32. Without an oracle, gradients are then only checked to be nonzero.
    """
    exact = subject.exact(engine)
    layer = subject.layer(engine, dtype=exact)
    x, mask = batch(3, exact)
    weights, states, times = weight_values(layer), start(layer, len(x)), timing(layer.cell, len(x), exact)
    n, end = len(weights), len(weights) + 1 + len(states)
    variables = [*weights, x, *states, *([times["time_gaps"]] if times else [])]

    def times_at(at: list[Any]) -> dict[str, Any]:
        return times | ({"time_gaps": at[end]} if times else {})

    def loss(at: list[Any]) -> Any:
        arguments = {"mask": mask, "initial_state": at[n + 1 : end], **times_at(at)}
        return with_weights(layer, at[:n], lambda: loss_of(*layer(at[n], **arguments)))

    def loss_by_oracle(at: list[Any]) -> Any:
        named = _weights(layer) | {w.name: v for w, v in zip(layer.cell.trainable_variables, at[:n], strict=True)}
        assert oracle is not None
        return loss_of(*_by_oracle(subject, oracle, named, at[n], mask, at[n + 1 : end], times_at(at)))

    by_cell = exact == "float64"
    at = [np.asarray(array, "float64") for array in variables]
    names = [*(w.path for w in layer.trainable_variables), "the inputs", *layer.cell.states, "the time gaps"]
    rng = np.random.default_rng(3)
    for i, (name, gradient) in enumerate(zip(names, gradients(loss, variables), strict=False)):
        assert np.any(gradient), f"{name} has no effect: its gradient is zero"
        if oracle is None and not by_cell:
            continue
        direction = rng.normal(size=gradient.shape)
        direction *= 1e-6 / np.sqrt(np.mean(direction**2))
        ahead, behind = ([*at[:i], at[i] + sign * direction, *at[i + 1 :]] for sign in (1, -1))
        value = loss if by_cell else loss_by_oracle
        difference = (float(value(ahead)) - float(value(behind))) / 2e-6
        rule = f"the gradient of {name} by finite differences"
        close(np.sum(gradient * direction) / 1e-6, difference, rule, 1e-6 if by_cell else 1e-4)


def check_dropout(subject: Subject) -> None:
    """Checks that a matrix that meets the previous state meets it with variational dropout.

    If the whole state is dropped, such a matrix has no effect on the step. Those whose name contains `projection` meet
    the output of the step, as in LSTMP.
    """
    cell = subject.cell()
    lists = [value if isinstance(value, list) else [value] for value in cell.recurrent_weights().values()]
    matrices = [matrix for of_one in lists for matrix in of_one if "projection" not in matrix.name]
    x, _ = batch()
    states = [ops.convert_to_tensor(state) for state in start(subject.layer("loop"), len(x))]
    projected = cell.project(cell.join_inputs(ops.convert_to_tensor(x[:, 0])))

    def one_step() -> np.ndarray:
        with cell.variational_dropout(ops.zeros((len(x), max(cell.state_size)))):
            output, new = cell.step(projected, states)
        return np.concatenate([ops.convert_to_numpy(array).ravel() for array in (output, *new)])

    before = one_step()
    for matrix in matrices:
        matrix.assign(-ops.convert_to_numpy(matrix))
        rule = f"{matrix.name} meets the state through `self.dot` or `self.drop`, so that variational dropout applies"
        close(one_step(), before, rule)


def check_engines_agree(subject: Subject, engine: str) -> None:
    """Checks that an engine has the outputs, states and gradients of the engine loop."""
    x, mask = batch()
    one, two = subject.layer("loop"), subject.layer(engine)
    times = timing(one.cell)
    for used_mask in (None, mask):
        (a, final), (b, other) = (call(layer, x, mask=used_mask, **times) for layer in (one, two))
        close(b, a, f"engine {engine} has the outputs of the loop")
        for state, expected_state in zip(other, final, strict=True):
            close(state, expected_state, f"engine {engine} has the states of the loop")
    weights = weight_values(one)

    def loss(layer: Any, values: Any) -> Any:
        return with_weights(layer, values, lambda: loss_of(*layer(x, mask=mask, **times)))

    computed, expected = (gradients(functools.partial(loss, layer), weights) for layer in (two, one))
    for a, b in zip(computed, expected, strict=True):
        close(a, b, f"engine {engine} has the gradients of the loop")


def check_formula(cell: Cell) -> None:
    """Checks that the number of trainable parameters equals the cell's formula."""
    if cell.params is None:
        return
    count, expected = sum(int(np.prod(weight.shape)) for weight in cell.trainable_weights), formula(cell, FEATURES)
    assert count == expected, f"the cell has {count} trainable parameters; its formula {cell.params} is {expected}"


def check_start(subject: Subject) -> None:
    """Checks that no two weights have equal random initial values.

    A seeded Keras initializer that two weights share would draw the same values for both.
    """
    cell = make_cell(subject.name, FEATURES, subject.options)
    cell.build((None, None, FEATURES))
    drawn = {weight.path: ops.convert_to_numpy(weight) for weight in cell.weights}
    drawn = {name: values for name, values in drawn.items() if len(np.unique(values)) > 2}  # not constant, no identity
    for (one, a), (two, b) in combinations(drawn.items(), 2):
        assert a.shape != b.shape or np.any(a != b), f"{one} and {two} have the same initial values"


def check_precision(subject: Subject) -> None:
    """Checks that mixed precision has float16 outputs close to float32, float32 weights."""
    x, mask = batch()
    layer = subject.layer("auto", dtype="mixed_float16")
    times = timing(layer.cell)
    expected, _ = call(subject.layer("auto"), x, mask=mask, **times)
    outputs, states = layer(x, mask=mask, **times)
    assert all("float16" in str(tensor.dtype) for tensor in (outputs, *states)), "mixed precision computes in float16"
    assert all("float32" in str(weight.dtype) for weight in layer.weights), "mixed precision keeps float32 weights"
    close(ops.convert_to_numpy(outputs).astype("float32"), expected, "float16 is close to float32", 2e-2)
