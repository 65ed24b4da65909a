"""The CRF against all paths counted one by one in NumPy, and its gradients against differences."""

from itertools import pairwise, product

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqtasks.layers.bio import transitions_of
from seqtasks.layers.crf import CRF

MASKS = [[1, 1, 1, 1], [1, 1, 0, 0], [1, 0, 1, 1], [0, 1, 0, 1], [0, 0, 1, 0], [0, 0, 0, 0]]


def make(tags, seed=0, **settings):
    layer = CRF(tags, dtype="float64", **settings)
    layer.build()
    rng = np.random.default_rng(seed)
    for weight in layer.weights:
        weight.assign(rng.normal(size=weight.shape))
    return layer


def draw(tags, seed=1):
    rng, rows, time = np.random.default_rng(seed), len(MASKS), 4
    return rng.normal(size=(rows, time, tags), scale=2), rng.integers(tags, size=(rows, time))


def paths(layer, emissions, real, legal=None):
    """Each path over the real steps of one row, and its score."""
    transitions, start, end = (weight.numpy() for weight in layer.weights)
    steps = np.flatnonzero(real)
    for path in product(range(layer.tags), repeat=len(steps)):
        if legal is not None and not legal(path):
            continue
        score = sum(emissions[t, y] for t, y in zip(steps, path, strict=True))
        score += sum(transitions[a, b] for a, b in pairwise(path))
        if path:
            score += start[path[0]] + end[path[-1]]
        yield path, score


@pytest.mark.parametrize("tags", [1, 2, 3])
@pytest.mark.parametrize("graph", [False, True], ids=["eager", "graph"])
def test_all_paths(tags, graph):
    layer, (e, y), mask = make(tags), draw(tags), np.array(MASKS, bool)
    run = tf.function if graph else (lambda function: function)
    totals = np.asarray(run(layer.log_partition)(tf.constant(e), mask))
    scores = np.asarray(run(layer.score)(tf.constant(e), y, mask))
    best, found = (np.asarray(v) for v in run(layer.decode)(tf.constant(e), mask))
    shares = np.asarray(run(layer.marginals)(tf.constant(e), mask))
    assert totals.dtype == "float64" and best.dtype == "int32"
    for row, real in enumerate(mask):
        steps = np.flatnonzero(real)
        every = dict(paths(layer, e[row], real))
        total = np.logaddexp.reduce(list(every.values()))
        assert totals[row] == pytest.approx(total, abs=1e-10)
        assert scores[row] == pytest.approx(every[tuple(y[row, steps].tolist())], abs=1e-10)
        winner = max(every, key=every.get)
        assert tuple(best[row, steps].tolist()) == winner and not best[row, ~real].any()
        assert found[row] == pytest.approx(every[winner], abs=1e-10) and found[row] <= total + 1e-9
        wanted = np.zeros((4, tags))
        for path, score in every.items():
            wanted[steps, list(path)] += np.exp(score - total)
        np.testing.assert_allclose(shares[row], wanted, atol=1e-10)
        np.testing.assert_allclose(shares[row, steps].sum(-1), 1, atol=1e-10)


def test_gradients_are_those_of_differences_and_zero_at_padding():
    layer, (e, y), mask = make(3), draw(3), np.array(MASKS, bool)

    @tf.function
    def slopes(e):
        with tf.GradientTape() as tape:
            tape.watch(e)
            loss = tf.reduce_sum(layer(e, y, mask) ** 2)
        return tape.gradient(loss, [e, *(w.value for w in layer.weights)])

    def loss(e):
        return float(np.sum(np.asarray(layer(tf.constant(e), y, mask)) ** 2))

    found = [np.asarray(tf.convert_to_tensor(slope)) for slope in slopes(tf.constant(e))]
    assert not found[0][~mask].any()
    step = 1e-6
    for place in np.ndindex(e.shape):
        moved = [e.copy(), e.copy()]
        moved[0][place] += step
        moved[1][place] -= step
        assert found[0][place] == pytest.approx((loss(moved[0]) - loss(moved[1])) / 2 / step, abs=1e-6)
    for weight, slope in zip(layer.weights, found[1:], strict=True):
        first = weight.numpy()
        for place in np.ndindex(first.shape):
            values = []
            for side in (step, -step):
                moved = first.copy()
                moved[place] += side
                weight.assign(moved)
                values.append(loss(e))
            weight.assign(first)
            assert slope[place] == pytest.approx((values[0] - values[1]) / 2 / step, abs=1e-6)


@pytest.mark.parametrize(
    "labels", [["O", "B-X", "I-X", "B-Y", "I-Y"], ["O", "B-X", "I-X", "E-X", "S-X"]], ids=["BIO", "BIOES"]
)
def test_only_legal_sequences_are_decoded(labels):
    allowed, starts, ends = transitions_of(labels)

    def legal(path):
        if not path:
            return True
        pairs = pairwise(path)
        return starts[path[0]] and ends[path[-1]] and all(allowed[a][b] for a, b in pairs)

    layer = make(5, allowed=allowed, starts=starts, ends=ends)
    (e, _), mask = draw(5, seed=3), np.array(MASKS, bool)
    best, found = (np.asarray(v) for v in layer.decode(tf.constant(e), mask))
    for row, real in enumerate(mask):
        every = dict(paths(layer, e[row], real, legal))
        assert tuple(best[row, real].tolist()) == max(every, key=every.get)
        assert found[row] == pytest.approx(max(every.values()), abs=1e-9)
    strict = make(5, allowed=allowed, starts=starts, ends=ends, constrain_training=True)
    totals = np.asarray(strict.log_partition(tf.constant(e), mask))
    for row, real in enumerate(mask):
        scores = [score for _, score in paths(layer, e[row], real, legal)]
        assert totals[row] == pytest.approx(np.logaddexp.reduce(scores), abs=1e-6)


def test_padding_and_neighbours_change_nothing():
    layer, (e, y), mask = make(3), draw(3), np.array(MASKS, bool)
    wanted = np.asarray(layer(tf.constant(e), y, mask))
    wide = np.pad(e, ((0, 0), (0, 3), (0, 0)), constant_values=7)
    more, tags = np.pad(mask, ((0, 0), (0, 3))), np.pad(y, ((0, 0), (0, 3)))
    np.testing.assert_allclose(layer(tf.constant(wide), tags, more), wanted, atol=1e-12)
    np.testing.assert_array_equal(
        np.asarray(layer(tf.constant(wide), mask=more))[:, :4], layer(tf.constant(e), mask=mask)
    )
    for row in range(len(e)):
        one = layer(tf.constant(e[row : row + 1]), y[row : row + 1], mask[row : row + 1])
        np.testing.assert_allclose(one, wanted[row : row + 1], atol=1e-12)
    np.testing.assert_allclose(layer(tf.constant(e[:1]), y[:1]), wanted[:1], atol=1e-12)  # no mask: all are real


def test_half_precision_stays_finite():
    layer = CRF(4, dtype="mixed_float16")
    e = np.full((2, 300, 4), 60000, "float16")
    found = layer(tf.constant(e), np.zeros((2, 300), int))
    assert np.isfinite(found).all() and found.dtype == "float32"
    np.testing.assert_allclose(np.asarray(layer.marginals(tf.constant(e))), 0.25, atol=1e-3)


def test_it_trains_on_any_length_and_is_saved(tmp_path):
    x, y = keras.Input((None, 3)), keras.Input((None,), dtype="int32")
    layer = CRF(3, allowed=np.ones((3, 3), bool), constrain_training=True)
    scores = keras.layers.Dense(3)(x)
    model = keras.Model([x, y], layer(scores, y))
    model.compile(keras.optimizers.Adam(0.05), lambda true, nll: nll)
    rng = np.random.default_rng(0)
    losses = []
    for turn in range(60):
        tags = np.cumsum(np.ones((8, 5 + turn % 2), int), axis=1) % 3  # each tag follows another: transitions tell all
        losses.append(model.train_on_batch([rng.normal(size=(*tags.shape, 3)), tags], np.zeros(8)))
    assert losses[-1] < losses[0] / 3
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras", compile=False)
    given = [rng.normal(size=(2, 4, 3)), np.zeros((2, 4), int)]
    np.testing.assert_allclose(again(given), model(given), atol=1e-5)
