"""The numbers of a cell: its paper, its gradients, its parameters, its precision, its engines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from seqtasks.cells.base import Cell
from seqtasks.matching import formula
from seqtasks.testing.subject import (
    FEATURES,
    Subject,
    batch,
    call,
    close,
    gradients,
    loss_of,
    start,
    weight_values,
    with_weights,
)

Oracle = Callable[..., tuple[np.ndarray, list[np.ndarray]]]


def check_equations(subject: Subject, engine: str, oracle: Oracle) -> None:
    """Float64 outputs and states against a second writing of the equations."""
    layer = subject.layer(engine, dtype="float64")
    x, _ = batch(2, "float64")
    states = start(layer, len(x))
    outputs, final = call(layer, x, initial_state=states)
    weights = {weight.name: np.asarray(weight) for weight in layer.cell.weights}
    assert len(weights) == len(layer.cell.weights), "two weights of the cell have one name"
    for row in range(len(x)):
        state = [s[row] for s in states]
        for t in range(x.shape[1]):
            expected, state = oracle(x[row, t], state, weights, **subject.options)
            close(outputs[row, t], expected, f"the equations of the paper, engine {engine}")
        for found, wanted in zip(final, state, strict=True):
            close(found[row], wanted, f"the final states of the paper's equations, engine {engine}")


def check_gradients(subject: Subject, engine: str) -> None:
    """Float64 gradients of weights, inputs and initial states against finite differences."""
    layer = subject.layer(engine, dtype="float64")
    x, mask = batch(3, "float64")
    weights, states = weight_values(layer), start(layer, len(x))
    n = len(weights)

    def loss(at: list[Any]) -> Any:
        return with_weights(layer, at[:n], lambda: loss_of(*layer(at[n], mask=mask, initial_state=at[n + 1 :])))

    at = [*weights, x, *states]
    names = [*(w.path for w in layer.trainable_variables), "the inputs", *layer.cell.states]
    rng = np.random.default_rng(3)
    for i, (name, found) in enumerate(zip(names, gradients(loss, at), strict=True)):
        assert np.any(found), f"{name} has no effect: its gradient is zero"
        way = rng.normal(size=found.shape)
        way *= 1e-6 / np.sqrt(np.mean(way**2))
        ahead, behind = ([*at[:i], at[i] + sign * way, *at[i + 1 :]] for sign in (1, -1))
        difference = (float(loss(ahead)) - float(loss(behind))) / 2e-6
        close(np.sum(found * way) / 1e-6, difference, f"the gradient of {name} by finite differences", 1e-6)


def check_engines_agree(subject: Subject, engine: str) -> None:
    """Another engine gives the numbers and gradients of the loop."""
    x, mask = batch()
    one, two = subject.layer("loop"), subject.layer(engine)
    for given in (None, mask):
        (a, final), (b, other) = call(one, x, mask=given), call(two, x, mask=given)
        close(b, a, f"engine {engine} gives the outputs of the loop")
        for state, wanted in zip(other, final, strict=True):
            close(state, wanted, f"engine {engine} gives the states of the loop")
    weights = weight_values(one)
    found, wanted = (
        gradients(lambda at, layer=layer: with_weights(layer, at, lambda: loss_of(*layer(x, mask=mask))), weights)
        for layer in (two, one)
    )
    for a, b in zip(found, wanted, strict=True):
        close(a, b, f"engine {engine} gives the gradients of the loop")


def check_formula(cell: Cell) -> None:
    """The number of trainable parameters is what the formula says."""
    if cell.params is None:
        return
    found, said = sum(int(np.prod(weight.shape)) for weight in cell.trainable_weights), formula(cell, FEATURES)
    assert found == said, f"the cell has {found} trainable parameters; its formula {cell.params} gives {said}"


def check_precision(subject: Subject) -> None:
    """Half precision gives half-precision outputs near those of float32."""
    x, mask = batch()
    exact, _ = call(subject.layer("auto"), x, mask=mask)
    layer = subject.layer("auto", dtype="mixed_float16")
    outputs, states = layer(x, mask=mask)
    assert all("float16" in str(tensor.dtype) for tensor in (outputs, *states)), "mixed precision computes in float16"
    assert all("float32" in str(weight.dtype) for weight in layer.weights), "mixed precision keeps float32 weights"
    close(np.asarray(outputs, "float32"), exact, "float16 is near float32", 2e-2)
