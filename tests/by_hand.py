"""Layers of random weights, and what they should give: loops over the cells' second writing in NumPy."""

import keras
import numpy as np

from seqtasks.cells.registration import make_cell
from seqtasks.layers.recurrent import Recurrent

from .cells.oracles import ORACLES

UNITS, FEATURES, STEPS = 4, 3, 6
X = np.random.default_rng(0).normal(size=(4, STEPS, FEATURES))
MASK = np.array([[1, 1, 1, 1, 1, 1], [1, 0, 1, 0, 0, 1], [0, 0, 1, 1, 0, 0], [0, 0, 0, 0, 0, 0]], bool)
CELLS = ["gru", "lstm", "rhn", "lstmp", "co_rnn"]
MATRICES = {  # that meet the state, with their units as rows
    "simple_rnn": ["recurrent_kernel"],
    "gru": ["recurrent_kernel"],
    "lstm": ["recurrent_kernel"],
    "rhn": ["recurrent_kernel_0", "recurrent_kernel_1"],
    "lstmp": ["recurrent_kernel", "recurrent_projection"],
    "co_rnn": ["recurrent_kernel"],
}


def make(cell, units=UNITS, engine="auto", dtype="float64", options=None, **more):
    layer = Recurrent(make_cell(cell, units, options, dtype=dtype), engine=engine, dtype=dtype, **more)
    layer.build((None, None, FEATURES))
    rng = np.random.default_rng(1)
    if options is None:
        layer.cell.set_weights([w + 0.4 * rng.normal(size=w.shape) for w in layer.cell.get_weights()])
    return layer


def weights_of(layer):
    return {weight.name: keras.ops.convert_to_numpy(weight) for weight in layer.cell.weights}


def start_of(layer, rows=4):
    rng = np.random.default_rng(2)
    return [rng.uniform(0.1, 0.6, size=(rows, size)) for size in layer.cell.state_size]


def values(layer, *args, **more):
    outputs, states = layer(*args, **more)
    return [np.asarray(outputs), *(np.asarray(state) for state in states)]


def by_hand(cell, weights, start, x=X, mask=MASK, zone=None, backward=False):
    """Row by row and step by step; `weights` is of all rows, or one mapping a row.

    `zone(state, row, t)` is the part of the old value that stays; the output follows the state that it is.
    """
    outputs, finals = [], [np.array(s) for s in start]
    for row in range(len(x)):
        w = weights[row] if isinstance(weights, list) else weights
        states, of_row = [s[row] for s in start], []
        for t in reversed(range(x.shape[1])) if backward else range(x.shape[1]):
            output, new = ORACLES[cell](x[row, t], states, w)
            if zone is not None:
                zoned = [zone(k, row, t) * old + (1 - zone(k, row, t)) * now
                         for k, (old, now) in enumerate(zip(states, new, strict=True))]  # fmt: skip
                output = next((z for z, now in zip(zoned, new, strict=True) if output is now), output)
                new = zoned
            states = new if mask[row, t] else states
            of_row.append(output if mask[row, t] else 0 * output)
        outputs.append(of_row[::-1] if backward else of_row)
        for final, state in zip(finals, states, strict=True):
            final[row] = state
    return [np.array(outputs), *finals]


def same(actual, expected, tolerance=1e-10):
    for a, b in zip(actual, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance)


def differ(a, b):
    return np.abs(a - b).max() > 1e-3


def halves(shape):
    """A fixed dropout mask of rate 0.5 for an array of that shape."""
    return 2.0 * (np.random.default_rng(list(shape)).random(shape) < 0.5)


def fixed_dropout(monkeypatch):
    """Puts a fixed mask in place of the random one; returns what will have been asked for."""
    asked = []

    def drop(inputs, rate, noise_shape=None, seed=None):
        asked.append((tuple(inputs.shape), rate))
        return inputs * keras.ops.cast(halves(inputs.shape), inputs.dtype)

    monkeypatch.setattr(keras.random, "dropout", drop)
    return asked
