"""Random loops, and models that write."""

import threading

import numpy as np

from seqtasks.engines.native.library import GATES, HAS_B, HAS_C
from seqtasks.engines.native.numpy_bridge import Loop, Results
from seqtasks.engines.native.text_generation import Layer

UNITS = [1, 3, 8, 16, 17, 33, 64, 100, 260]


def drawn(rng, kind, steps=None, units=None):
    """A random loop, over inputs or over rows of a table, and gradients of its results."""
    steps = int(rng.integers(0, 9)) if steps is None else steps
    batch, units = int(rng.integers(1, 40)), units or int(rng.choice(UNITS))
    gates = GATES[kind]

    def of(*shape):
        return (rng.normal(size=shape) * 0.7).astype("float32")

    tokens, vocabulary = None, int(rng.integers(1, 20))
    if rng.random() < 0.4:
        tokens = rng.integers(0, vocabulary, (batch, steps)).astype("int32")
    mask = None if rng.random() < 0.3 else rng.random((batch, steps)) < 0.7
    width, features = gates * units, int(rng.choice([1, 7, 16, 40]))
    x = of(batch, steps, features) if tokens is None else of(vocabulary, features)
    loop = Loop(
        kind, bool(rng.integers(2)), x, of(features, width) / np.float32(features**0.5),
        of(width), of(units, width) / np.float32(units**0.5), of(3 * units) if kind in HAS_B else None,
        of(batch, units), of(batch, units) if kind in HAS_C else None, mask, tokens,
    )  # fmt: skip
    return loop, Results(of(batch, steps, units), of(batch, units), of(batch, units))


def stack(rng, kind, units, vocabulary, projected):
    """A table, layers, matrix and bias of the softmax; the second layer is narrower."""

    def of(*shape):
        return (rng.normal(size=shape) * shape[0] ** -0.5).astype("f4")  # not so large that rounding would grow

    layers, features = [], 6
    for i, n in enumerate((units, max(1, units // 2))):
        gates = GATES[kind] * n
        w = None if projected and i == 0 else of(features, gates)
        layers.append(Layer(kind, w, of(gates), of(n, gates), of(3 * n) if kind in HAS_B else None))
        features = n
    width = GATES[kind] * units if projected else 6
    return of(vocabulary, width), layers, of(features, vocabulary) * 4, of(vocabulary)


def states_of(rng, layers, batch):
    count = [2 if layer.kind in HAS_C else 1 for layer in layers]
    return [
        [rng.normal(size=(batch, len(layer.u))).astype("f4") for _ in range(n)]
        for layer, n in zip(layers, count, strict=True)
    ]


def table_gradient(loop, actual):
    """The gradient of a loop's table, (vocabulary, features)."""
    total = np.zeros(loop.x.shape, "float32")
    total[actual.rows] += actual.dx
    return total


def at_once(call, count=4):
    """What a function returns in each of some threads that run at the same time."""
    actual = []
    threads = [threading.Thread(target=lambda: actual.append(call())) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return actual
