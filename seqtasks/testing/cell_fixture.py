"""Helpers of the cell contract: cells with random weights, layers, data, gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import keras
import numpy as np
from keras import ops

from seqtasks import engines
from seqtasks.cells.base import Cell
from seqtasks.cells.registration import make_cell
from seqtasks.layers.recurrent import Recurrent

FEATURES, STEPS = 3, 6
TOLERANCE = {"float32": 1e-5, "float64": 1e-10}


class Subject:
    """The cell under test.

    Args:
        name: Registered name of the cell.
        options: Options of the cell.
        units: Number of hidden units.
    """

    def __init__(self, name: str, options: dict[str, Any], units: int):
        self.name, self.options, self.units = name, options, units
        self._weights: list[np.ndarray] = []

    def cell(self, dtype: str = "float32") -> Cell:
        """A built cell; all have the same weights, moved so far that each has an effect."""
        cell = make_cell(self.name, self.units, self.options, dtype=dtype)
        cell.build((None, None, FEATURES))
        cell.built = True
        if not self._weights:
            rng = np.random.default_rng(1)
            for weight in cell.trainable_weights:
                weight.assign(ops.convert_to_numpy(weight) + 0.3 * rng.normal(size=weight.shape))
            self._weights = cell.get_weights()
        cell.set_weights(self._weights)
        return cell

    def layer(self, engine: str, direction: Any = "forward", dtype: str = "float32") -> Recurrent:
        """A built layer with a new `cell`."""
        layer = Recurrent(self.cell(dtype), direction, engine, dtype=dtype)
        layer.build((None, None, FEATURES))
        layer.built = True
        return layer

    def exact(self, engine: str) -> str:
        """The widest dtype of an engine; with JAX and PyTorch, Keras has no float64."""
        wide = keras.backend.backend() == "tensorflow" and engine in engines.available(self.cell("float64"))
        return "float64" if wide else "float32"


def eager() -> AbstractContextManager[Any]:
    """Context manager that runs JAX without compilation, which takes seconds for each loop."""
    if keras.backend.backend() != "jax":
        return nullcontext()
    import jax

    return jax.disable_jit()


def batch(rows: int = 4, dtype: str = "float32") -> tuple[np.ndarray, np.ndarray]:
    """Inputs (rows, time, features), mask (rows, time); the last row has no valid step."""
    x = np.random.default_rng(0).normal(size=(rows, STEPS, FEATURES)).astype(dtype)
    lengths = np.array([6, 4, 1, 0])[-rows:]
    return x, np.arange(STEPS)[None] < lengths[:, None]


def timing(cell: Cell, rows: int = 4, dtype: str = "float32") -> dict[str, np.ndarray]:
    """Random gaps and observation mask, as arguments of a layer; of these, those that the cell uses."""
    rng = np.random.default_rng(4)
    arguments = {}
    if cell.uses_gaps:
        arguments["time_gaps"] = rng.uniform(0.1, 2.0, size=(rows, STEPS)).astype(dtype)
    if cell.uses_observed:
        arguments["observed"] = rng.random(size=(rows, STEPS, FEATURES)) < 0.6
    return arguments


def start(layer: Recurrent, rows: int) -> list[np.ndarray]:
    """Random initial states, (rows, size) each, which differ from the cell's initial states."""
    rng = np.random.default_rng(2)
    return [rng.uniform(0.1, 0.6, size=(rows, size)).astype(layer.compute_dtype) for size in layer.cell.state_size]


def call(layer: Any, x: Any, **arguments: Any) -> tuple[np.ndarray, list[np.ndarray]]:
    """Calls a layer and returns outputs and states as NumPy arrays."""
    outputs, states = layer(x, **arguments)
    return ops.convert_to_numpy(outputs), [ops.convert_to_numpy(state) for state in states]


def close(a: Any, b: Any, rule: str, tolerance: float | None = None) -> None:
    """Asserts that two arrays are equal up to a tolerance, relative to the largest value.

    Args:
        a: Computed values.
        b: Expected values.
        rule: The rule that is checked, for the message.
        tolerance: Maximum relative difference; None: that of the dtype in `TOLERANCE`.

    Raises:
        AssertionError: The arrays differ; the message names the rule.
    """
    a, b = np.asarray(a), np.asarray(b)
    if tolerance is None:
        tolerance = TOLERANCE["float64" if a.dtype == b.dtype == np.float64 else "float32"]
    scale = 1 + float(np.max(np.abs(b), initial=0.0))
    worst = float(np.max(np.abs(a.astype("float64") - b.astype("float64")), initial=0.0)) / scale
    assert worst <= tolerance, f"{rule}: they differ by {worst:.2g}"  # also fails for NaN


def loss_of(outputs: Any, states: Sequence[Any]) -> Any:
    """A scalar that depends on every element of outputs and states, differently weighted."""
    total = 0.0
    for tensor in (outputs, *states):
        weights = np.cos(np.arange(int(np.prod(tensor.shape[1:])), dtype="float64")).reshape(tensor.shape[1:])
        if isinstance(tensor, np.ndarray):
            total += np.sum(tensor * weights)
        else:
            total = total + ops.sum(tensor * ops.convert_to_tensor(weights, tensor.dtype))
    return total


def gradients(loss: Callable[[list[Any]], Any], at: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The gradient of `loss(tensors)` with respect to each tensor, with any backend.

    Args:
        loss: Function of a list of tensors that returns a scalar.
        at: Values of the tensors.
    """
    tensors = [ops.convert_to_tensor(array) for array in at]
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(tensors)
            value = loss(tensors)
        slopes = tape.gradient(value, tensors, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    elif backend == "jax":
        import jax

        slopes = jax.grad(loss)(tensors)
    else:
        import torch

        leaves = [tensor.detach().clone().requires_grad_() for tensor in tensors]
        slopes = torch.autograd.grad(loss(leaves), leaves, allow_unused=True)
        slopes = [ops.zeros_like(leaf) if g is None else g for g, leaf in zip(slopes, leaves, strict=True)]
    return [np.asarray(ops.convert_to_numpy(g)) for g in slopes]


def with_weights(layer: Any, values: Sequence[Any], run: Callable[[], Any]) -> Any:
    """The result of `run()` while the trainable weights of a layer have other values.

    Args:
        layer: The layer.
        values: Values of its trainable weights.
        run: Function to call.
    """
    with keras.StatelessScope(state_mapping=list(zip(layer.trainable_variables, values, strict=True))):
        return run()


def weight_values(layer: Any) -> list[np.ndarray]:
    """The trainable weights of a layer as NumPy arrays."""
    return [ops.convert_to_numpy(weight) for weight in layer.trainable_variables]
