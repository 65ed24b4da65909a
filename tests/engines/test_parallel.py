"""Recurrences under a mask and the engine around them, against loops in NumPy; and which engine runs what."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqtasks.cells.gru import GRU
from seqtasks.cells.min_gru import MinGRU
from seqtasks.cells.registration import make_cell
from seqtasks.core.errors import ConfigError
from seqtasks.engines import available, choose, linear_recurrence
from seqtasks.engines.native import library
from seqtasks.engines.parallel import NARROW, Recurrence
from seqtasks.layers.recurrent import Recurrent

FAST = ["native", "keras"] if library.library() else ["keras"]  # no C compiler, no loop in C
TIME, BATCH, SIZE = 6, 4, 3
RNG = np.random.default_rng(0)
MASK = np.array([[1, 1, 1, 1, 1, 1], [1, 0, 1, 0, 0, 1], [0, 0, 1, 1, 0, 0], [0, 0, 0, 0, 0, 0]], bool).T
A = RNG.uniform(-1, 1, size=(TIME, BATCH, SIZE))
B = RNG.normal(size=(TIME, BATCH, SIZE))
H0 = RNG.normal(size=(BATCH, SIZE))
P = np.zeros((TIME, BATCH, 2 * SIZE))
masks = pytest.mark.parametrize("mask", [None, MASK], ids=["whole", "masked"])


def real(mask):
    return np.ones((TIME, BATCH), bool) if mask is None else mask


def by_hand(a, b, h0, mask):
    """Row by row and step by step; a masked step repeats the state before it."""
    a, h = np.broadcast_to(a, b.shape), np.zeros(b.shape)
    for row in range(b.shape[1]):
        state = h0[row]
        for t in range(len(b)):
            if mask is None or mask[t, row]:
                state = a[t, row] * state + b[t, row]
            h[t, row] = state
    return h


def same(computed, expected, tolerance=1e-12):
    np.testing.assert_allclose(computed, expected, rtol=0, atol=tolerance)


@masks
def test_a_recurrence_skips_masked_steps(mask):
    same(Recurrence(P, mask)(A, B, H0), by_hand(A, B, H0, mask))


@masks
@pytest.mark.parametrize("shape", [(SIZE,), (1, 1, SIZE), (TIME, 1, SIZE), (TIME, BATCH, 1)], ids=str)
def test_factors_are_broadcast(mask, shape):
    a = np.random.default_rng(1).uniform(-1, 1, size=shape)
    same(Recurrence(P, mask)(a, B, H0), by_hand(a, B, H0, mask))


def test_values_at_masked_steps_do_not_matter():
    a, b = np.where(MASK[..., None], A, np.inf), np.where(MASK[..., None], B, np.nan)
    same(Recurrence(P, MASK)(a, b, H0), by_hand(A, B, H0, MASK))


@masks
def test_gradients_go_to_real_steps(mask):
    readout = np.random.default_rng(2).normal(size=B.shape)
    at = [tf.constant(v) for v in (A, B, H0)]
    with tf.GradientTape() as tape:
        tape.watch(at)
        total = tf.reduce_sum(Recurrence(P, mask)(*at) * readout)
    actual = tape.gradient(total, at)
    for i, array in enumerate((A, B, H0)):
        slope = np.zeros_like(array)
        for place in np.ndindex(array.shape):
            sides = []
            for side in (0.5, -0.5):
                moved = [v.copy() for v in (A, B, H0)]
                moved[i][place] += side
                sides.append(np.sum(by_hand(*moved, mask) * readout))
            slope[place] = sides[0] - sides[1]
        same(actual[i], slope, 1e-11)
    for of_step in actual[:2]:
        assert not np.any(of_step.numpy()[~real(mask)])


@masks
def test_shift_gives_the_real_step_before_and_the_last_one_so_far(mask):
    previous, held = Recurrence(P, mask).shift(B, H0)
    wanted_previous, wanted_held = np.zeros_like(B), np.zeros_like(B)
    for row in range(BATCH):
        last = H0[row]
        for t in range(TIME):
            wanted_previous[t, row] = last
            last = B[t, row] if real(mask)[t, row] else last
            wanted_held[t, row] = last
    same(previous, wanted_previous)
    same(held, wanted_held)


@masks
@pytest.mark.parametrize(("dtype", "counts"), [("float16", "float32"), ("float32", "float32"), ("float64", "float64")])
def test_steps_count_the_real_ones(mask, dtype, counts):
    steps = keras.ops.convert_to_numpy(Recurrence(tf.constant(P, dtype), mask).steps())
    assert steps.dtype == counts
    expected = np.cumsum(real(mask), axis=0)[..., None]
    same(np.broadcast_to(steps, expected.shape), expected)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def min_gru(layer, x, start, mask, backward):
    """Outputs and final state by the equations of the cell, step by step."""
    W, b = (keras.ops.convert_to_numpy(w) for w in (layer.cell.W, layer.cell.b))
    outputs, h = np.zeros((*x.shape[:2], layer.cell.units)), start.copy()
    for t in reversed(range(x.shape[1])) if backward else range(x.shape[1]):
        z, candidate = np.split(x[:, t] @ W + b, 2, axis=-1)
        new = (1 - sigmoid(z)) * h + sigmoid(z) * candidate
        h = np.where(mask[:, t, None], new, h)
        outputs[:, t] = np.where(mask[:, t, None], new, 0)
    ends = []
    for row, steps in enumerate(mask):
        there = np.flatnonzero(steps)
        ends.append(outputs[row, there[0 if backward else -1]] if len(there) else np.zeros(layer.cell.units))
    return outputs, np.stack(ends), h


def layer_of(cell, features, engine="parallel", **more):
    layer = Recurrent(make_cell(cell, SIZE, dtype="float64"), engine=engine, dtype="float64", **more)
    layer.build((None, None, features))
    layer.cell.b.assign(np.random.default_rng(4).normal(size=layer.cell.b.shape))
    return layer


EAGER = [(features, direction, False) for features in (NARROW, NARROW + 1) for direction in ("forward", "backward")]
GRAPH = [(NARROW, "backward", True), (NARROW + 1, "forward", True)]  # compiled, which takes seconds each


@masks
@pytest.mark.parametrize(("features", "direction", "graph"), EAGER + GRAPH)
def test_the_engine_gives_the_equations(mask, features, direction, graph):
    layer = layer_of("min_gru", features, direction=direction)
    x = np.random.default_rng(3).normal(size=(BATCH, TIME, features))
    given = None if mask is None else mask.T
    expected, end, final = min_gru(layer, x, H0, real(mask).T, direction == "backward")

    def run(x):
        outputs, (state,) = layer(x, mask=given, initial_state=[H0])
        last, (again,) = layer(x, mask=given, initial_state=[H0], return_sequences=False)
        return outputs, last, state, again

    run = tf.function(run, input_signature=[tf.TensorSpec((None, None, features), tf.float64)]) if graph else run
    for computed, what in zip(run(x), (expected, end, final, final), strict=True):
        same(computed, what)


@pytest.mark.parametrize("engine", ["loop", "parallel"])
def test_no_steps_at_all(engine):
    layer = layer_of("min_gru", 2, engine)
    outputs, (state,) = layer(np.zeros((BATCH, 0, 2)), initial_state=[H0])
    assert outputs.shape == (BATCH, 0, SIZE)
    same(state, H0)
    last, _ = layer(np.zeros((BATCH, 0, 2)), initial_state=[H0], return_sequences=False)
    same(last, np.zeros((BATCH, SIZE)))


@pytest.mark.parametrize("jit", [False, True], ids=["", "jit"])
@pytest.mark.parametrize("steps", [None, TIME])
def test_a_model_on_an_accelerator_is_built_and_fitted(monkeypatch, steps, jit):
    monkeypatch.setattr(linear_recurrence, "_has_accelerator", lambda: True)
    inputs = keras.Input((steps, 2))
    last, _ = Recurrent(make_cell("min_gru", SIZE), engine="parallel")(inputs, return_sequences=False)
    model = keras.Model(inputs, last)
    model.compile("sgd", "mse", jit_compile=jit)
    assert np.isfinite(model.train_on_batch(np.ones((BATCH, TIME, 2)), np.zeros((BATCH, SIZE))))


@pytest.mark.parametrize(
    ("cell", "chosen"), [("min_gru", "parallel"), ("lru", "parallel"), ("mgu", "loop"), ("lstm", FAST[0])]
)
def test_auto_takes_the_fastest_that_is_right(cell, chosen):
    assert choose("auto", make_cell(cell, 3)) == chosen
    assert Recurrent(make_cell(cell, 3)).running_engine == chosen


@pytest.mark.parametrize("cell", ["min_gru", "mgu", "lstm"])
def test_zoneout_takes_the_loop(cell):
    assert choose("auto", make_cell(cell, 3), zoneout=0.1) == "loop"
    assert choose("loop", make_cell(cell, 3), zoneout=0.1) == "loop"


def test_recurrent_dropout_takes_the_loop_in_place_of_keras():
    assert choose("auto", make_cell("lstm", 3), recurrent_dropout=0.1) == "loop"
    with pytest.raises(ConfigError, match=r"engine=keras cannot run this: recurrent_dropout differs in Keras's layers"):
        choose("keras", make_cell("lstm", 3), recurrent_dropout=0.1)


@pytest.mark.parametrize(
    ("name", "cell", "more", "why"),
    [
        ("parallel", "gru", {}, r"GRU has no `scan`, which only cells that are linear in their state can have"),
        ("keras", "mgu", {}, r"Keras has no layer with the equations of MGU"),
        ("keras", "min_gru", {}, r"Keras has no layer with the equations of MinGRU"),
        ("keras", "gru", {"zoneout": 0.1}, "zoneout changes each step of the loop"),
        ("parallel", "min_gru", {"zoneout": 0.1}, "zoneout changes each step of the loop"),
    ],
)
def test_an_engine_that_cannot_run_it_is_refused_with_the_reason(name, cell, more, why):
    with pytest.raises(ConfigError, match=rf"encoder.engine={name} cannot run this: {why}.*; use encoder.engine=loop"):
        choose(name, make_cell(cell, 3), **more)
    with pytest.raises(ConfigError, match=why):
        Recurrent(make_cell(cell, 3), engine=name, **more)


def test_an_unknown_engine_is_refused():
    with pytest.raises(ConfigError, match="unknown engine 'cuda'; allowed: auto, keras, loop, native, parallel"):
        choose("cuda", make_cell("gru", 3))


class Halved(GRU):
    """Another function than Keras's layer computes."""

    def step(self, p, states):
        output, new = super().step(p / 2, states)
        return output, new


class Doubled(MinGRU):
    """Another function than `MinGRU.scan` computes."""

    def step(self, p, states):
        output, new = super().step(p, states)
        return 2 * output, new


class Projected(MinGRU):
    """Another projection, which `MinGRU.scan` may not know."""

    def project(self, x):
        return super().project(x) / 2


class DoubledAtOnce(Doubled):
    """Both ways of it."""

    def scan(self, p, states, recur):
        outputs, states = MinGRU.scan(self, p, states, recur)
        return 2 * outputs, states


class Renamed(MinGRU):
    """Nothing of the equations is changed."""

    def build(self, input_shape):
        super().build(input_shape)


class RenamedGRU(GRU):
    def build(self, input_shape):
        super().build(input_shape)


@pytest.mark.parametrize(
    ("cls", "engines"),
    [
        (GRU, [*FAST, "loop"]),
        (RenamedGRU, [*FAST, "loop"]),
        (Halved, ["loop"]),
        (MinGRU, ["loop", "parallel"]),
        (Renamed, ["loop", "parallel"]),
        (Doubled, ["loop"]),
        (Projected, ["loop"]),
        (DoubledAtOnce, ["loop", "parallel"]),
    ],
)
def test_a_subclass_with_other_equations_has_the_engines_of_its_own(cls, engines):
    assert available(cls(3)) == engines
    assert choose("auto", cls(3)) == next(name for name in ("native", "keras", "parallel", "loop") if name in engines)
    for name in {"keras", "native", "parallel"} - set(engines):
        with pytest.raises(ConfigError, match=rf"engine={name} cannot run this: .*{cls.__name__}"):
            choose(name, cls(3))


def test_the_engines_of_a_subclass_run_its_own_equations():
    x = np.random.default_rng(3).normal(size=(BATCH, TIME, 2))
    plain, expected = layer_of("min_gru", 2), None
    for cls, factor in ((MinGRU, 1), (Doubled, 2), (DoubledAtOnce, 2)):
        layer = Recurrent(cls(SIZE, dtype="float64"), dtype="float64")
        layer.build(x.shape)
        layer.cell.set_weights(plain.cell.get_weights())
        expected, _, _ = min_gru(plain, x, np.zeros((BATCH, SIZE)), np.ones(x.shape[:2], bool), False)
        same(layer(x)[0], factor * expected)
